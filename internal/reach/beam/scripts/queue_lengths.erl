%% The queues that are not empty, as {Length, Pid}, the longest 2,000 of them.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(erlang:self(), reductions),
Late = fun() -> %% to wait for a scheduler costs the node nothing
  {reductions, Now} = erlang:process_info(erlang:self(), reductions),
  Wall = erlang:monotonic_time(millisecond) - Began,
  Wall > 2000 orelse Wall > 400 andalso Now - Spent > 5000000 end,
Scan = fun Scan([], _, Seen, Found) -> {Seen, false, Found};
  Scan(Pids, Left, Seen, Found) ->
    {Chunk, Rest} = lists:split(erlang:min(Left, 1000), Pids),
    Infos = lists:zipwith(fun erlang:process_info/2, Chunk, lists:duplicate(erlang:length(Chunk), message_queue_len)),
    Busy = case lists:max(Infos) of
      undefined -> [];
      {_, 0} -> [];
      _ -> lists:takewhile(fun({{_, L}, _}) -> L > 0; (_) -> false end, lists:reverse(lists:sort(lists:zip(Infos, Chunk))))
    end,
    Looked = Seen + erlang:length(Chunk),
    case Rest =/= [] andalso Late() of
      true -> {Looked, true, Busy ++ Found};
      false -> Scan(Rest, erlang:max(0, Left - 1000), Looked, Busy ++ Found)
    end end,
All = erlang:processes(),
Count = erlang:length(All),
{Seen, Truncated, Found} = Scan(All, Count, 0, []),
Longest = lists:sublist(lists:reverse(lists:sort(Found)), 2000),
#{processes => Count, seen => Seen, truncated => Truncated orelse erlang:length(Found) > 2000,
  top => [{Length, Pid} || {{_, Length}, Pid} <- Longest]}
