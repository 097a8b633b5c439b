%% The message queues of all processes: totals, and the longest 50 as {Length, Pid}.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(erlang:self(), reductions),
Late = fun() -> %% to wait for a scheduler costs the node nothing
  {reductions, Now} = erlang:process_info(erlang:self(), reductions),
  Wall = erlang:monotonic_time(millisecond) - Began,
  Wall > 2000 orelse Wall > 400 andalso Now - Spent > 5000000 end,
Zero = {message_queue_len, 0},
Busy = fun(Pids) ->
  Infos = lists:zipwith(fun erlang:process_info/2, Pids, lists:duplicate(erlang:length(Pids), message_queue_len)),
  case lists:max(Infos) of
    undefined -> [];
    Zero -> [];
    _ -> %% sorted first: what is interpreted costs more than what the library does
      Some = lists:takewhile(fun({{_, L}, _}) -> L > 0; (_) -> false end, lists:reverse(lists:sort(lists:zip(Infos, Pids)))),
      [{Length, Pid} || {{_, Length}, Pid} <- Some]
  end end,
Longest = fun(Pairs) -> lists:sublist(lists:reverse(lists:sort(Pairs)), 50) end,
Scan = fun Scan([], _, Seen, Top, Lengths) -> {Seen, false, Top, Lengths};
  Scan(Pids, Left, Seen, Top, Lengths) ->
    {Chunk, Rest} = lists:split(erlang:min(Left, 1000), Pids),
    {More, Long} = case Busy(Chunk) of
      [] -> {[], Top};
      Found -> {erlang:element(1, lists:unzip(Found)), Longest(Found ++ Top)}
    end,
    Looked = Seen + erlang:length(Chunk),
    case Rest =/= [] andalso Late() of
      true -> {Looked, true, Long, More ++ Lengths};
      false -> Scan(Rest, erlang:max(0, Left - 1000), Looked, Long, More ++ Lengths)
    end end,
All = erlang:processes(),
Count = erlang:length(All),
{Seen, Truncated, Top, Lengths} = Scan(All, Count, 0, [], []),
Sorted = lists:reverse(lists:sort(Lengths)),
NonEmpty = erlang:length(Sorted),
Over = fun(N) -> erlang:length(lists:takewhile(fun(L) -> L > N end, Sorted)) end,
Rank = fun(P) ->
  FromLongest = Seen - erlang:max(1, erlang:trunc(Seen * P / 100)) + 1,
  case FromLongest =< NonEmpty of true -> lists:nth(FromLongest, Sorted); false -> 0 end end,
#{processes => Count, seen => Seen, truncated => Truncated, total => lists:sum(Sorted), non_empty => NonEmpty,
  over_100 => Over(100), over_1000 => Over(1000), over_10000 => Over(10000),
  p50 => Rank(50), p90 => Rank(90), p95 => Rank(95), p99 => Rank(99), p100 => Rank(100), top => Top}
