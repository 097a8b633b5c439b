//go:build linux

package docs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/fleetlens/fleetlens/internal/llm/llmtest"
)

// serveInternet answers on this machine for all others that a page names, and returns
// the file with the authority that vouches for them.
func serveInternet(dir string, names []string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the internet of the documents"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return "", err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:443", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		return "", err
	}
	quiet := &http.Server{Handler: http.HandlerFunc(internet), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: time.Minute} // probes knock
	go func() { _ = quiet.Serve(l) }()
	for _, own := range []string{"127.0.0.1:11434", "127.0.0.1:8000"} { // Ollama, and any server that speaks as OpenAI does
		l, err := net.Listen("tcp", own)
		if err != nil {
			return "", err
		}
		go func() { _ = quiet.Serve(l) }()
	}
	return file, nil
}

// internet answers as those that the pages talk about do: Slack's incoming webhooks
// (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks) and its
// chat.postMessage, the providers of models, and anything that takes a webhook.
func internet(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	host, _, _ := strings.Cut(r.Host, ":")
	switch {
	case host == "hooks.slack.com":
		_, _ = io.WriteString(w, "ok")
	case host == "slack.com":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"ok":true,"channel":"C0123456789","ts":"1503435956.000247"}`)
	case host == "oauth2.googleapis.com":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
	case host == "api.anthropic.com", strings.Contains(r.URL.Path, "/publishers/anthropic/"):
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range claude {
			_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kindOf(e), e)
		}
	case strings.HasPrefix(host, "bedrock-runtime."):
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		bedrock(w)
	case strings.HasSuffix(host, "googleapis.com"):
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "data: %s\r\n\r\n", gemini)
	case strings.HasSuffix(r.URL.Path, "/chat/completions"):
		llmtest.Call(w, r, "ready", nil, `{"ok":true}`)
	case strings.HasSuffix(host, ".example"), strings.HasSuffix(host, ".example.com"):
		w.WriteHeader(http.StatusAccepted)
	default:
		http.NotFound(w, r)
	}
}

// claude are the events of an answer that calls the tool of `fleetlens models`:
// https://platform.claude.com/docs/en/build-with-claude/streaming.
var claude = []string{
	`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":100,"output_tokens":1}}}`,
	`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"ready","input":{}}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"ok\":true}"}}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}`,
	`{"type":"message_stop"}`,
}

func kindOf(event string) string {
	var e struct{ Type string }
	_ = json.Unmarshal([]byte(event), &e)
	return e.Type
}

// bedrock writes Claude's events as Amazon frames them:
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html.
func bedrock(w io.Writer) {
	enc := eventstream.NewEncoder()
	for _, e := range claude {
		m := eventstream.Message{Payload: []byte(`{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(e)) + `"}`)}
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		m.Headers.Set(":event-type", eventstream.StringValue("chunk"))
		m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
		_ = enc.Encode(w, m)
	}
}

// gemini is the same of https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent.
const gemini = `{"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"name":"ready","args":{"ok":true}}}]},"finishReason":"STOP"}],` +
	`"modelVersion":"m","usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":20,"totalTokenCount":120}}`
