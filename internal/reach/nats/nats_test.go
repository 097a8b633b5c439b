package nats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// detail is one stream as /jsz tells it, of nats-server 2.15.2.
const detail = `{"name":"S%d","created":"2026-11-22T15:00:00Z","cluster":{"leader":"hub"},
"config":{"name":"S%[1]d","retention":"limits","max_consumers":-1,"max_msgs":100,"max_bytes":-1,"max_age":0,"discard":"new","storage":"file","num_replicas":1},
"state":{"messages":%[1]d,"bytes":2048,"first_seq":1,"first_ts":"2026-11-22T15:00:00Z","last_seq":9,"last_ts":"2026-11-22T15:00:00Z","consumer_count":1},
"consumer_detail":[{"stream_name":"S%[1]d","name":"c","created":"2026-11-22T15:00:00Z","config":{"ack_wait":30000000000,"max_ack_pending":1000},
"delivered":{"consumer_seq":1,"stream_seq":1,"last_active":"2026-11-22T15:01:00Z"},"num_ack_pending":500,"num_redelivered":0,"num_waiting":1,"num_pending":7,"ts":"2026-11-22T15:02:00Z"}]}`

// serve is a server with so many accounts, of so many streams each.
func serve(t testing.TB, accounts, streams int) *Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/varz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"server_id":"X","server_name":"hub","version":"2.15.2"}`)
	})
	mux.HandleFunc("/jsz", func(w http.ResponseWriter, r *http.Request) {
		offset, _ := strconv.Atoi(r.FormValue("offset"))
		limit, _ := strconv.Atoi(r.FormValue("limit"))
		_, _ = fmt.Fprintf(w, `{"memory":0,"api":{"total":3},"server_id":"X","config":{"max_memory":1},"streams":%d,"account_details":[`, accounts*streams)
		for i := offset; i < min(offset+limit, accounts); i++ {
			if i > offset {
				_, _ = io.WriteString(w, ",")
			}
			_, _ = fmt.Fprintf(w, `{"name":"A%d","id":"A","memory":0,"storage":1024,"reserved_memory":18446744073709551615,"reserved_storage":2048,"api":{"total":1,"errors":2},"stream_detail":[`, i)
			for k := range streams {
				if k > 0 {
					_, _ = io.WriteString(w, ",")
				}
				_, _ = fmt.Fprintf(w, detail, k)
			}
			_, _ = io.WriteString(w, `]}`)
		}
		_, _ = fmt.Fprintf(w, `],"total":%d}`, accounts)
	})
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	s := New(Config{URL: h.URL})
	t.Cleanup(s.Close)
	return s
}

func TestThousandsOfStreamsAreReadPageByPage(t *testing.T) {
	a, err := serve(t, 3*accountsAtOnce/2, 30).Assets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Streams) != 2880 || a.Total != 2880 || len(a.Consumers) != 2880 || len(a.Accounts) != 96 || a.Partial {
		t.Fatalf("%d of %d streams, %d consumers, %d accounts, partial %v", len(a.Streams), a.Total, len(a.Consumers), len(a.Accounts), a.Partial)
	}
	s, c, u := a.Streams[29], a.Consumers[29], a.Accounts[95]
	if s.Name != "S29" || s.Account != "A0" || !s.Here || s.UsedPct != 29 || s.Limit != "messages" || !s.Refuses() || s.MaxMB != 0 {
		t.Errorf("a stream is %+v", s)
	}
	if c.Lag != 7 || c.AckPct != 50 || c.Idle != 60 || c.Push || !c.Attended() {
		t.Errorf("a consumer is %+v", c)
	}
	if u.Name != "A95" || u.Streams != 30 || u.Limited.Memory || !u.Limited.Store || u.ReservedStore != 2048 || u.API.Errors != 2 {
		t.Errorf("an account is %+v", u)
	}
}

func TestMoreThanIsTakenIsReadInPart(t *testing.T) {
	s := serve(t, 2, 1000)
	a := &Assets{}
	if err := a.read(t.Context(), s.api, "hub", 256<<10); err != nil {
		t.Fatal(err)
	}
	if !a.Partial || a.Total != 2000 || len(a.Streams) == 0 || len(a.Streams) >= 1000 {
		t.Errorf("%d of %d streams were read, partial %v", len(a.Streams), a.Total, a.Partial)
	}
}

func TestWhatIsReadServesAMomentLonger(t *testing.T) {
	s := serve(t, 1, 1)
	first, err := s.Assets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Assets(t.Context()); err != nil || again != first {
		t.Errorf("it is read anew: %v", err)
	}
}

func TestAServerWithoutJetStreamHoldsNothing(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"server_id":"X","server_name":"hub","version":"2.9.0","disabled":true}`)
	}))
	t.Cleanup(h.Close)
	a, err := New(Config{URL: h.URL}).Assets(t.Context())
	if err != nil || !a.Disabled || len(a.Streams) > 0 {
		t.Errorf("it holds %+v, %v", a, err)
	}
}

func TestAnotherServersAnswersAreRefused(t *testing.T) {
	for name, answers := range map[string]string{"another JSON": `{"status":"up"}`, "a web page": "<html>", "nothing": "", "a list": "[]"} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answers) }))
		t.Cleanup(h.Close)
		s := New(Config{URL: h.URL})
		if _, err := s.Vars(t.Context()); err == nil {
			t.Errorf("%s is a NATS server", name)
		}
		if _, err := s.Assets(t.Context()); err == nil {
			t.Errorf("%s holds streams", name)
		}
	}
}

// A server that is not well answers 503, with why.
func TestHealth(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		code       int
		want       string
	}{
		{"well", `{"status":"ok"}`, 200, "true []"},
		{"without details, as older servers answer", `{"status":"unavailable","error":"JetStream is not current"}`, 503, "false [JetStream is not current]"},
		{"a stream", `{"status":"error","errors":[{"type":"STREAM","account":"A","stream":"S","error":"not current"}]}`, 503, "false [stream S: not current]"},
		{"a consumer", `{"status":"error","errors":[{"type":"CONSUMER","stream":"S","consumer":"c","error":"not found"}]}`, 404, "false [consumer S/c: not found]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.code)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(h.Close)
			got, err := New(Config{URL: h.URL}).Health(t.Context())
			if err != nil || fmt.Sprint(got.OK, " ", got.Problems) != tt.want {
				t.Errorf("it is %v %v, %v, want %s", got.OK, got.Problems, err, tt.want)
			}
		})
	}
}

func FuzzAssets(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(`{"streams":1,"total":1,"account_details":[{"name":"A","stream_detail":[`+detail+`]}]}`, 1)))
	f.Add([]byte(`{"account_details":null,"total":-1,"streams":{}}`))
	f.Add([]byte(`{"account_details":[{"stream_detail":[{"cluster":{"replicas":[{}]},"consumer_detail":[{}]}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := page{Assets: &Assets{}, server: "hub"}
		if p.decode(json.NewDecoder(bytes.NewReader(b))) != nil {
			return
		}
		for _, s := range p.Streams {
			if s.UsedPct < 0 && s.Messages >= 0 && s.MB >= 0 {
				t.Errorf("a stream is %+v", s)
			}
		}
	})
}

func TestALongNameIsCut(t *testing.T) {
	if got := name(strings.Repeat("ü", 500)); len([]rune(got)) != longestName+1 {
		t.Errorf("it has %d characters", len([]rune(got)))
	}
}
