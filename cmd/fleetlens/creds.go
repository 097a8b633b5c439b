package main

import "github.com/spf13/cobra"

func (a *app) creds() *cobra.Command { return &cobra.Command{Use: "creds"} }
