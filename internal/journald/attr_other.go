//go:build !linux

package journald

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
