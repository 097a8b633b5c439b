package rules

import "testing"

func TestWhoARowOfAServerIs(t *testing.T) {
	for _, tt := range []struct {
		name      string
		row       object
		who, says string
	}{
		{"a container that crashes", object{"pod": "shop/checkout-1", "container": "app", "restarts": 6.0, "why": "OOMKilled, exit code 137"}, "pod shop/checkout-1 (app)", "OOMKilled, exit code 137"},
		{"a pod that waits", object{"pod": "shop/db-1", "restarts": 0.0, "why": "0/3 nodes are available"}, "pod shop/db-1", "0/3 nodes are available"},
		{"a rollout", object{"workload": "Deployment shop/checkout", "desired": 3.0, "stuck": "ProgressDeadlineExceeded"}, "Deployment shop/checkout", "ProgressDeadlineExceeded"},
		{"a node of a cluster", object{"node": "worker-2", "ready": "Unknown"}, "node worker-2", ""},
		{"a consumer", object{"stream": "ORDERS", "consumer": "billing", "lag": 7.0, "why": "nobody asks for messages"}, "consumer ORDERS/billing", "nobody asks for messages"},
		{"a stream", object{"stream": "ORDERS", "messages": 10.0, "consumers": 2.0}, "stream ORDERS", ""},
		{"a client", object{"name": "cart", "cid": 7.0, "pending_mb": 60.0}, "client cart (cid 7)", ""},
		{"a client without a name", object{"name": "", "cid": 7.0, "pending_mb": 60.0}, "client cid 7", ""},
		{"a target", object{"job": "shop", "instance": "10.0.0.1:80", "health": "down", "error": "connection refused"}, "target shop 10.0.0.1:80", "connection refused"},
		{"a series", object{"series": "up{job=\"shop\"}", "value": 3.0}, "series up{job=\"shop\"}", ""},
		{"a row of another skill", object{"node": "shop@host", "memory_mb": 3.0}, "", ""},
	} {
		if who, says := whoIs(tt.row), reason(tt.row); who != tt.who || says != tt.says {
			t.Errorf("%s is %q, because %q", tt.name, who, says)
		}
	}
}
