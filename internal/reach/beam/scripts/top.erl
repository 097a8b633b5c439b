%% The processes with the most of Item (reductions, memory or total_heap_size), as
%% {Value, Pid}, in bytes where it is memory. What goes through a process's queue is not asked where that is long.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(erlang:self(), reductions),
Late = fun() -> %% to wait for a scheduler costs the node nothing
  {reductions, Now} = erlang:process_info(erlang:self(), reductions),
  Wall = erlang:monotonic_time(millisecond) - Began,
  Wall > 2000 orelse Wall > 400 andalso Now - Spent > 5000000 end,
Infos = fun(Pids, Key) -> lists:zipwith(fun erlang:process_info/2, Pids, lists:duplicate(erlang:length(Pids), Key)) end,
Short = fun(Pids) when Item =:= reductions -> Pids;
  (Pids) ->
    Lengths = Infos(Pids, message_queue_len),
    case lists:max(Lengths) of
      {_, N} when N > 10000 -> [Pid || {{_, L}, Pid} <- lists:zip(Lengths, Pids), L =< 10000];
      _ -> Pids
    end end,
Most = fun(Pairs) -> lists:sublist(lists:reverse(lists:sort(Pairs)), Limit + 1) end,
Scan = fun Scan([], _, Seen, Skipped, Top) -> {Seen, false, Skipped, Top};
  Scan(Pids, Left, Seen, Skipped, Top) ->
    {Chunk, Rest} = lists:split(erlang:min(Left, 1000), Pids),
    Asked = Short(Chunk),
    Most1 = Most(Most(lists:zip(Infos(Asked, Item), Asked)) ++ Top),
    Looked = Seen + erlang:length(Chunk),
    Passed = Skipped + erlang:length(Chunk) - erlang:length(Asked),
    case Rest =/= [] andalso Late() of
      true -> {Looked, true, Passed, Most1};
      false -> Scan(Rest, erlang:max(0, Left - 1000), Looked, Passed, Most1)
    end end,
All = erlang:processes(),
Count = erlang:length(All),
{Seen, Truncated, Skipped, Top} = Scan(All, Count, 0, 0, []),
{Self, Unit} = {erlang:self(), case Item of total_heap_size -> erlang:system_info(wordsize); _ -> 1 end},
#{processes => Count, seen => Seen, truncated => Truncated, skipped => Skipped,
  top => lists:sublist([{Value * Unit, Pid} || {{_, Value}, Pid} <- Top, Pid =/= Self], Limit)}
