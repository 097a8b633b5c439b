// Package manifests starts what the chart and the compose file describe: their command
// lines, environments, mounts, users and rights, each container as a process of its own,
// and sends one alert through the whole. No cluster and no Docker can run in a test; what
// only they do (scheduling, images, probes that restart) is not looked at.
package manifests
