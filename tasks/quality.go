package tasks

// Quality is how good a reading of the radio is.
type Quality struct {
	// Level is 5 for the best, the same for all readings that are called the
	// same: 5 매우 좋음, 4 좋음, 3 보통, 2 나쁨, 1 매우 나쁨.
	Level int `json:"level" minimum:"1" maximum:"5" doc:"5 매우 좋음, 4 좋음, 3 보통, 2 나쁨, 1 매우 나쁨" example:"4"`
	// Word is the level in Korean.
	Word string `json:"word" enum:"매우 좋음,좋음,보통,나쁨,매우 나쁨" doc:"The level in words" example:"좋음"`
}

// The levels.
var (
	veryGood = Quality{5, "매우 좋음"}
	good     = Quality{4, "좋음"}
	fair     = Quality{3, "보통"}
	bad      = Quality{2, "나쁨"}
	veryBad  = Quality{1, "매우 나쁨"}
)

// SignalQuality is how good a signal is, nil where its reading is.
type SignalQuality struct {
	RSRP *Quality `json:"rsrp"`
	RSRQ *Quality `json:"rsrq"`
	SINR *Quality `json:"sinr"`
}

// Quality tells how good the signal is; nil for no signal.
func (s *Signal) Quality() *SignalQuality {
	if s == nil {
		return nil
	}
	return &SignalQuality{RSRP: rate(s.RSRP, rsrpQuality), RSRQ: rate(s.RSRQ, rsrqQuality), SINR: rate(s.SINR, sinrQuality)}
}

func rate(d *Decibel, quality func(Decibel) Quality) *Quality {
	if d == nil {
		return nil
	}
	q := quality(*d)
	return &q
}

// A bound between two classes is of the better one, but the best has to lie
// above its bound; of RSRQ that is good already.

func rsrpQuality(dBm Decibel) Quality {
	switch {
	case dBm > -80:
		return veryGood
	case dBm >= -90:
		return good
	case dBm >= -100:
		return fair
	case dBm >= -110:
		return bad
	}
	return veryBad
}

func rsrqQuality(dB Decibel) Quality {
	switch {
	case dB > -10:
		return good
	case dB >= -15:
		return fair
	}
	return bad
}

func sinrQuality(dB Decibel) Quality {
	switch {
	case dB > 20:
		return veryGood
	case dB >= 10:
		return good
	case dB >= 0:
		return fair
	}
	return bad
}
