package hilink

import (
	"encoding/hex"
	"testing"
)

// Ensure both hashes give what public recordings of real logins show.
func TestSchemes_vectors(t *testing.T) {
	t.Parallel()
	salt, err := hex.DecodeString("ef08b9902cfb555135d098952c6d4ce629d52a3e835d4831147c96081538113c")
	if err != nil {
		t.Fatal(err)
	}
	const first = "6513d4a1bfa0d6b3a7e3320dc6b3b1cd703a479d4958b5e1462658d75f0c5029"
	proof, server := scram("test", salt, 100, first, first+"BsP0n8rghqsOgEbevsDvKnn0eCjBfed2")
	if got := hex.EncodeToString(proof); got != "efc134fac358b3e148c62714eae94edda8143840e4e13f12f723defefa9dca1f" {
		t.Errorf("proof %s", got)
	}
	if got := hex.EncodeToString(server.signature); got != "e926be337454a1d7213f21de17a3e5ee8cc537f6f5fae54dea20ffb3b0c660de" {
		t.Errorf("signature %s", got)
	}
	const token = "WxP4vWdnPVWloYVy1xWNv3E1SWaKBq0E"
	if got := hashed("admin" + hashed("admin") + token); got != "NjJlYWMyN2UxZTZiZTdkMWQ1NWU3MjczM2VhY2ViZDAxMzhiYTBjNzU1Nzk4NTc2OWI3ODljNGFkZGJmMjg2ZA==" {
		t.Errorf("hash %s", got)
	}
}
