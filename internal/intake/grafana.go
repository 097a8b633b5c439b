package intake

// readGrafana reads Grafana's webhook (grafana.com/docs, "Configure webhook
// notifications"): that of Alertmanager, as its version 1, with links to dashboard and
// panel. It is signed, without a timestamp header, by HMAC-SHA256.
func readGrafana(r request) (Report, error) {
	return readWebhook(r, grafana, "1", "a webhook of Grafana")
}
