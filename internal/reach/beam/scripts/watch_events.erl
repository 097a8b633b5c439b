%% Is the node's system monitor for the probe: long collections, long times on a
%% scheduler, ports that take no more. There is one monitor on a node: whoever is it
%% already stays it. The node forgets the monitor when this process ends.
true = erlang:monitor_node(node(Probe), true),
Agent = self(),
Tell = fun(What) -> erlang:send(Probe, What, [noconnect, nosuspend]) end,
Watched = [{long_gc, LongGC}, {long_schedule, LongSchedule}, {large_heap, LargeHeap}, busy_port, busy_dist_port],
NameOf = fun(P) -> case erlang:process_info(P, registered_name) of
    {registered_name, Registered} -> Registered;
    undefined -> undefined;
    _ -> case erlang:process_info(P, [dictionary, initial_call]) of
      [{dictionary, Dictionary}, {initial_call, First}] ->
        case {lists:keyfind('$process_label', 1, Dictionary), lists:keyfind('$initial_call', 1, Dictionary)} of
          {{_, Label}, _} when is_atom(Label); is_binary(Label), byte_size(Label) =< 100 -> Label;
          {_, {_, {_, _, Arity} = Call}} when is_integer(Arity) -> Call;
          _ -> First
        end;
      _ -> undefined
    end
  end end,
StackOf = fun(P) -> case erlang:process_info(P, current_stacktrace) of
    {current_stacktrace, Stack} -> [{M, F, A} || {M, F, A, _} <- Stack, is_integer(A)];
    _ -> []
  end end,
PortName = fun(Port) -> case erlang:port_info(Port, name) of {name, Name} -> Name; _ -> undefined end end,
%% Who it was is asked by a process of its own: the one that is asked may be unable to answer.
Look = fun(Id, What, Info) -> erlang:spawn_opt(fun() ->
    {Process, Port} = if
      is_port(Info) -> {What, Info};
      is_port(What) -> {case erlang:port_info(What, connected) of {connected, Owner} -> Owner; _ -> undefined end, What};
      true -> {What, undefined}
    end,
    Tell({who, Id, Process,
      if is_pid(Process), node(Process) =:= node() -> NameOf(Process); true -> undefined end,
      if is_pid(What), node(What) =:= node() -> StackOf(What); true -> [] end,
      if is_port(Port), node(Port) =:= node() -> PortName(Port); true -> undefined end})
  end, [monitor, {priority, low}, {max_heap_size, #{size => 1000000, kill => true, error_logger => false}}]) end,
Loop = fun Loop(Timer, Second, Sent, Dropped, Id, Asking) -> receive
    {monitor, What, Type, Info} ->
      Now = erlang:monotonic_time(second),
      Before = if Now =:= Second -> Sent; true -> 0 end,
      Told = if Before < 20 -> Tell({event, Id, erlang:system_time(millisecond), Type, What, Info, Dropped}); true -> late end,
      if
        Told =/= ok, Dropped >= 5000 -> Tell({ended, flood});
        Told =/= ok -> Loop(Timer, Now, Before, Dropped + 1, Id, Asking);
        Asking < 20 -> Look(Id, What, Info), Loop(Timer, Now, Before + 1, 0, Id + 1, Asking + 1);
        true -> Loop(Timer, Now, Before + 1, 0, Id + 1, Asking)
      end;
    {'DOWN', _, process, _, _} -> Loop(Timer, Second, Sent, Dropped, Id, Asking - 1);
    {lease, Longer} ->
      erlang:cancel_timer(Timer),
      case erlang:system_monitor() of
        {Agent, _} ->
          Unsaid = case Dropped > 0 andalso Tell({dropped, Dropped}) of ok -> 0; _ -> Dropped end,
          Loop(erlang:start_timer(Longer, Agent, lease), Second, Sent, Unsaid, Id, Asking);
        _ -> Tell({ended, taken})
      end;
    {timeout, Timer, lease} -> Tell({ended, lease});
    {nodedown, _} -> gone;
    stop -> Tell({ended, stop});
    _ -> Loop(Timer, Second, Sent, Dropped, Id, Asking)
  end end,
Refuse = fun({Pid, _}) -> Tell({refused, monitored, if node(Pid) =:= node() -> NameOf(Pid); true -> undefined end, Pid}) end,
case erlang:system_monitor() of
  undefined ->
    case erlang:system_monitor(Agent, Watched) of
      undefined ->
        Tell({ready, erlang:system_info(wordsize)}),
        Loop(erlang:start_timer(Lease, Agent, lease), 0, 0, 0, 1, 0);
      {First, Options} = Other -> %% somebody became it just now
        erlang:system_monitor(First, Options),
        Refuse(Other)
    end;
  Other -> Refuse(Other)
end,
ok
