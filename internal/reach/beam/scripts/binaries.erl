%% The processes that hold most of what lies in binaries outside of their heaps, as
%% {Bytes, Pid}: what their collector has added up (bin_vheap_size), because to list the
%% binaries of all processes would cost more than the node can spare.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(erlang:self(), reductions),
Late = fun() -> %% to wait for a scheduler costs the node nothing
  {reductions, Now} = erlang:process_info(erlang:self(), reductions),
  Wall = erlang:monotonic_time(millisecond) - Began,
  Wall > 2000 orelse Wall > 400 andalso Now - Spent > 5000000 end,
WordSize = erlang:system_info(wordsize),
Values = fun(Lists, Key) ->
  N = erlang:length(Lists),
  {_, Vs} = lists:unzip(lists:zipwith3(fun lists:keyfind/3, lists:duplicate(N, Key), lists:duplicate(N, 1), Lists)),
  Vs end,
Words = fun([]) -> [];
  (Pids) ->
    Infos = lists:zipwith(fun erlang:process_info/2, Pids, lists:duplicate(erlang:length(Pids), garbage_collection_info)),
    {There, Living} = case lists:member(undefined, Infos) of
      false -> {Infos, Pids};
      true -> lists:unzip([{I, P} || {{_, _} = I, P} <- lists:zip(Infos, Pids)])
    end,
    {_, Lists} = lists:unzip(There),
    lists:zip(lists:zipwith(fun erlang:'+'/2, Values(Lists, bin_vheap_size), Values(Lists, bin_old_vheap_size)), Living) end,
Most = fun(Pairs) -> lists:sublist(lists:reverse(lists:sort(Pairs)), Limit + 1) end,
Scan = fun Scan([], _, Seen, Top) -> {Seen, false, Top};
  Scan(Pids, Left, Seen, Top) ->
    {Chunk, Rest} = lists:split(erlang:min(Left, 1000), Pids),
    Most1 = Most(Most(Words(Chunk)) ++ Top),
    Looked = Seen + erlang:length(Chunk),
    case Rest =/= [] andalso Late() of
      true -> {Looked, true, Most1};
      false -> Scan(Rest, erlang:max(0, Left - 1000), Looked, Most1)
    end end,
All = erlang:processes(),
Count = erlang:length(All),
{Seen, Truncated, Top} = Scan(All, Count, 0, []),
Self = erlang:self(),
#{processes => Count, seen => Seen, truncated => Truncated,
  top => lists:sublist([{W * WordSize, Pid} || {W, Pid} <- Top, W > 0, Pid =/= Self], Limit)}
