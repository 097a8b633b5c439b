// Command probe is a probe with one skill of its own: the mail that waits to be
// delivered on this host. A private probe is a program like this one.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fleetlens/fleetlens/pkg/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func main() {
	folder := "/var/spool/postfix/deferred"
	if dir := os.Getenv("MAIL_FOLDER"); dir != "" {
		folder = dir
	}
	probe.Main(mail(folder))
}

// mail returns the skill: words and functions in one literal.
func mail(folder string) skills.Skill {
	return skills.Skill{
		Name: "mail", Title: "Mail queue", Summary: "Mail that waits to be delivered on one host.", Prefix: "mail_",
		Sources: []skills.Source{{
			Kind:   skills.Host,
			Prompt: "Mail waits when the server it is for does not take it. A few hundred are normal; a growing number is a relay that is down or refuses us.",
			Metrics: []skills.Metric{
				skills.Gauge("mail_waiting", protocol.Count, "Messages that wait."),
				skills.Gauge("mail_oldest_seconds", protocol.Seconds, "How long the oldest of them has waited."),
			},
			Checks: []skills.Check{
				skills.Above("mail_waiting", 500, 5000, "mail", "{value} messages wait to be delivered, the oldest for {mail_oldest_seconds} s",
					"mail_oldest(5)", "See whether the relay answers, and what it says."),
			},
			Calls: []skills.Call{{
				Name: "mail_oldest", Doc: "messages, oldest first: id, waiting_seconds.", Example: "mail_oldest(5)",
				Params: []skills.Param{skills.Limit(10, 100, "how many messages")},
				Run: func(ctx context.Context, a skills.Args) (any, error) {
					list, err := waiting(ctx, folder)
					return list[:min(a.Int("limit"), len(list))], err
				},
			}},
			Snapshot: func(ctx context.Context) (skills.Data, error) {
				list, err := waiting(ctx, folder)
				if err != nil {
					return nil, err
				}
				d := skills.Data{"mail_waiting": float64(len(list))}
				if len(list) > 0 {
					d.Set("mail_oldest_seconds", list[0].Waiting, 0)
				}
				return d, nil
			},
		}},
	}
}

type message struct {
	ID      string  `json:"id"`
	Waiting float64 `json:"waiting_seconds"`
}

// waiting lists the messages, oldest first.
func waiting(ctx context.Context, folder string) ([]message, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the mail that waits: %w", err)
	}
	list := []message{}
	for _, f := range files {
		info, err := os.Stat(filepath.Join(folder, f.Name()))
		if err != nil || ctx.Err() != nil {
			continue // it was delivered meanwhile
		}
		m := message{f.Name(), time.Since(info.ModTime()).Seconds()}
		at := 0
		for at < len(list) && list[at].Waiting > m.Waiting {
			at++
		}
		list = append(list[:at], append([]message{m}, list[at:]...)...)
	}
	return list, ctx.Err()
}
