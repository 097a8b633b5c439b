%% Has what is logged on the node told to the probe. The node's own handler and
%% formatter do the work, within their limits on bursts, sizes and overload: nothing
%% of this script runs where somebody logs. Errors have a handler of their own, so
%% that a flood of the rest does not use up their limit. A second process takes the
%% handlers off when this one dies.
true = erlang:monitor_node(node(Probe), true),
Agent = self(),
Ids = [fleetlens_logs, fleetlens_logs_rest],
Tell = fun(What) -> erlang:send(Probe, What, [noconnect, nosuspend]) end,
Formatter = {logger_formatter, #{
    template => [time, "\v", level, "\v", pid, "\v", mfa, "\v", line, "\v", domain, "\v", msg],
    time_offset => "Z", single_line => false, depth => 30, chars_limit => 6000, max_size => 8192,
    report_cb => fun logger:format_report/1}},
Handler = fun(Level, Filters) -> #{
    level => Level, filter_default => log, filters => [{remote_gl, {fun logger_filters:remote_gl/2, stop}} | Filters],
    formatter => Formatter,
    %% With both lengths the same, who logs never waits for the handler.
    config => #{type => {device, Agent}, sync_mode_qlen => 200, drop_mode_qlen => 200, flush_qlen => 1000,
        burst_limit_enable => true, burst_limit_max_count => 50, burst_limit_window_time => 1000,
        overload_kill_enable => true, overload_kill_qlen => 5000, overload_kill_mem_size => 16000000, overload_kill_restart_after => infinity}}
  end,
Guard = erlang:spawn(fun() ->
    Watched = erlang:monitor(process, Agent),
    receive {'DOWN', Watched, process, _, _} -> [logger:remove_handler(Id) || Id <- Ids] end
  end),
Guarded = erlang:monitor(process, Guard),
Loop = fun Loop(Timer, Lost) -> receive
    {io_request, From, As, {put_chars, _, Text}} ->
      erlang:send(From, {io_reply, As, ok}),
      case Lost > 0 andalso Tell({dropped, Lost}) of
        ok -> Tell({log, Text}), Loop(Timer, 0);
        false -> case Tell({log, Text}) of ok -> Loop(Timer, 0); _ -> Loop(Timer, 1) end;
        _ -> Loop(Timer, Lost + 1)
      end;
    {io_request, From, As, _} -> erlang:send(From, {io_reply, As, {error, request}}), Loop(Timer, Lost);
    {lease, Longer} ->
      erlang:cancel_timer(Timer),
      case Ids -- logger:get_handler_ids() of
        [] -> Loop(erlang:start_timer(Longer, Agent, lease), Lost);
        _ -> Tell({ended, overload})
      end;
    {timeout, Timer, lease} -> Tell({ended, lease});
    {nodedown, _} -> gone;
    {'DOWN', Guarded, process, _, _} -> Tell({ended, guard});
    stop -> Tell({ended, stop});
    _ -> Loop(Timer, Lost)
  end end,
case [Id || Id <- Ids, lists:member(Id, logger:get_handler_ids())] of
  [] ->
    Added = [logger:add_handler(fleetlens_logs, logger_std_h, Handler(warning, [])),
             logger:add_handler(fleetlens_logs_rest, logger_std_h, Handler(all, [{rest, {fun logger_filters:level/2, {stop, gteq, warning}}}]))],
    case Added of
      [ok, ok] -> Tell({ready, #{}}), Loop(erlang:start_timer(Lease, Agent, lease), 0);
      _ -> Tell({refused, no_handler})
    end,
    [logger:remove_handler(Id) || Id <- Ids];
  _ ->
    erlang:exit(Guard, kill),
    Tell({refused, watched})
end,
ok
