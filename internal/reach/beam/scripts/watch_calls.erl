%% Traces the calls of one function for the probe: who called it, from where, never with
%% what. It stops by itself after Most calls, when PerSecond calls came within a second
%% and one more does, and after For milliseconds. A function that is called often is
%% refused before any call is told: the node counts its calls for 200 ms first. Where
%% somebody else traces nothing is done. Flags of processes are left to the node, which
%% takes ours away with this process; the breakpoint is taken off by a second process
%% if this one cannot.
true = erlang:monitor_node(node(Probe), true),
Agent = self(),
Tell = fun(What) -> erlang:send(Probe, What, [noconnect, nosuspend]) end,
Existing = fun(Text) -> try {ok, erlang:binary_to_existing_atom(Text, utf8)} catch error:_ -> none end end,
NameOf = fun(P) -> case erlang:process_info(P, registered_name) of
    {registered_name, Registered} -> Registered;
    undefined -> undefined;
    _ -> case erlang:process_info(P, [dictionary, initial_call]) of
      [{dictionary, Dictionary}, {initial_call, First}] ->
        case {lists:keyfind('$process_label', 1, Dictionary), lists:keyfind('$initial_call', 1, Dictionary)} of
          {{_, Label}, _} when is_atom(Label); is_binary(Label), byte_size(Label) =< 100 -> Label;
          {_, {_, {_, _, N} = Call}} when is_integer(N) -> Call;
          _ -> First
        end;
      _ -> undefined
    end
  end end,
Flags = fun Flags([]) -> [];
  Flags(Pids) ->
    {Some, Rest} = lists:split(min(1000, length(Pids)), Pids),
    case lists:usort(lists:zipwith(fun erlang:trace_info/2, Some, lists:duplicate(length(Some), flags))) -- [{flags, []}, undefined] of
      [] -> Flags(Rest);
      Found -> Found
    end end,
Session = fun({M, F, A} = MFA) ->
  Clean = fun() -> erlang:trace_pattern(MFA, false, [local]), erlang:trace_pattern(MFA, false, [call_count]) end,
  Guard = erlang:spawn(fun() ->
      Watching = erlang:monitor(process, Agent),
      receive {'DOWN', Watching, process, _, _} -> Clean() after For + 10000 -> Clean(), erlang:exit(Agent, kill) end
    end),
  Guarded = erlang:monitor(process, Guard),
  Loop = fun Loop(Timer, End, Count, Latest) -> receive
      {trace, Pid, call, {M, F, A}, Caller} ->
        Now = erlang:monotonic_time(millisecond),
        Within = [T || T <- Latest, Now - T < 1000],
        if
          length(Within) >= PerSecond -> rate;
          true ->
            Tell({call, erlang:system_time(millisecond), Pid, NameOf(Pid), Caller}),
            if Count + 1 >= Most -> count; true -> Loop(Timer, End, Count + 1, [Now | Within]) end
        end;
      {timeout, End, limit} -> time;
      {timeout, Timer, lease} -> lease;
      {lease, Longer} -> erlang:cancel_timer(Timer), Loop(erlang:start_timer(Longer, Agent, lease), End, Count, Latest);
      {nodedown, _} -> gone;
      {'DOWN', Guarded, process, _, _} -> guard;
      stop -> stop;
      _ -> Loop(Timer, End, Count, Latest)
    end end,
  Counted = try
    case erlang:trace_pattern(MFA, true, [call_count]) of
      0 -> no_function;
      _ ->
        Ended = receive {nodedown, _} -> gone; stop -> stop; {'DOWN', Guarded, process, _, _} -> guard after 200 -> time end,
        Calls = erlang:trace_info(MFA, call_count),
        erlang:trace_pattern(MFA, false, [call_count]),
        case {Ended, Calls} of {time, {call_count, N}} when is_integer(N) -> N; {time, _} -> no_function; {_, _} -> Ended end
    end
  catch error:_ -> no_function end,
  Outcome = if
    is_integer(Counted), Counted > Hot -> {refused, hot, Counted * 5};
    is_integer(Counted) ->
      erlang:process_flag(priority, high),
      erlang:trace_pattern(MFA, [{'_', [], [{message, {caller}}]}], [local]),
      erlang:trace(all, true, [call, arity, {tracer, Agent}]),
      Tell({ready, Counted * 5}),
      {ended, Loop(erlang:start_timer(Lease, Agent, lease), erlang:start_timer(For, Agent, limit), 0, [])};
    true -> {refused, Counted, 0}
  end,
  Clean(),
  Tell(Outcome)
end,
case {Existing(Module), Existing(Function)} of
  {{ok, M0}, {ok, F0}} ->
    case erlang:module_loaded(M0) of
      false -> Tell({refused, no_module, 0});
      true ->
        Others = [erlang:trace_info(new_processes, flags), erlang:trace_info(new_ports, flags)] =/= [{flags, []}, {flags, []}]
          orelse not lists:member(erlang:trace_info({M0, F0, Arity}, all), [{all, false}, {all, undefined}, undefined])
          orelse Flags(erlang:processes()) =/= [],
        if Others -> Tell({refused, traced, 0}); true -> Session({M0, F0, Arity}) end
    end;
  _ -> Tell({refused, no_module, 0})
end,
ok
