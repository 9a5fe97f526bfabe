package hilink

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// maxIterations bounds what a modem can make us compute. They use 100 or 1000.
const maxIterations = 100_000

// challenge is what a modem answers to a login's first half.
type challenge struct {
	first, server string // nonces, as text
	salt          string // hex
	iterations    int
}

// proof is the login's second half, and the answer that only a modem can give
// which knows the password. Huawei's SCRAM is RFC 5802 with SHA-256, but for key
// and message of each HMAC, which stand the other way round.
func (c challenge) proof(password string) (client, signature string, err error) {
	salt, err := hex.DecodeString(c.salt)
	if err != nil || len(salt) == 0 {
		return "", "", errors.New("the modem's challenge has no salt")
	}
	if c.iterations < 1 || c.iterations > maxIterations {
		return "", "", fmt.Errorf("the modem's challenge wants %d iterations", c.iterations)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, c.iterations, sha256.Size)
	if err != nil {
		return "", "", err
	}
	message := []byte(c.first + "," + c.server + "," + c.server)
	clientKey := mac([]byte("Client Key"), salted)
	storedKey := sha256.Sum256(clientKey)
	proof := mac(message, storedKey[:])
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	serverKey := mac([]byte("Server Key"), salted)
	return hex.EncodeToString(proof), hex.EncodeToString(mac(message, serverKey)), nil
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// hashed is a password as type 4 sends it, bound to the token of its request.
func hashed(user, password, token string) string {
	return twice(user + twice(password) + token)
}

// twice is the base64 of the hex of the SHA-256.
func twice(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
}
