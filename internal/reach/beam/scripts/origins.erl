%% By which function processes began: how many began with each, and what a few of
%% each say of themselves. Of 50,000 processes and more every second, third, ...
%% thousand is looked at.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(erlang:self(), reductions),
Late = fun() -> %% to wait for a scheduler costs the node nothing
  {reductions, Now} = erlang:process_info(erlang:self(), reductions),
  Wall = erlang:monotonic_time(millisecond) - Began,
  Wall > 2000 orelse Wall > 400 andalso Now - Spent > 5000000 end,
All = erlang:processes(),
Count = erlang:length(All),
Step = erlang:max(1, Count div 25000),
%% some of a list, evenly: who began early is not like who began late
Some = fun(L, N, Most) when N =< Most -> L;
  (L, N, Most) -> [lists:nth(I, L) || I <- lists:seq(1, N, N div Most)] end,
OfChunk = erlang:max(16, 400000 div erlang:max(1000, Count)),
%% positions where a new key begins in a sorted list, and so how many there are of each
Groups = fun(Pairs) ->
  N = erlang:length(Pairs),
  {Keys, Pids} = lists:unzip(lists:sort(Pairs)),
  Firsts = lists:ukeysort(1, lists:zip(Keys, lists:seq(1, N))),
  Ends = lists:nthtail(1, [At || {_, At} <- Firsts]) ++ [N + 1],
  [{Key, End - At, Some(lists:sublist(Pids, At, End - At), End - At, OfChunk)} || {{Key, At}, End} <- lists:zip(Firsts, Ends)] end,
Add = fun({undefined, _, _}, Found) -> Found;
  ({{_, Key}, N, Pids}, Found) ->
    case Found of
      #{Key := {M, More}} -> Found#{Key := {M + N, Pids ++ More}};
      _ -> Found#{Key => {N, Pids}}
    end end,
Scan = fun Scan([], _, Seen, Found) -> {Seen, false, Found};
  Scan(Pids, Left, Seen, Found) ->
    {Chunk, Rest} = lists:split(erlang:min(Left, 1000), Pids),
    Infos = lists:zipwith(fun erlang:process_info/2, Chunk, lists:duplicate(erlang:length(Chunk), initial_call)),
    More = lists:foldl(Add, Found, Groups(lists:zip(Infos, Chunk))),
    Left1 = erlang:max(0, Left - 1000),
    Skip = erlang:min(Left1, (Step - 1) * 1000),
    Looked = Seen + erlang:length(Chunk),
    case Rest =/= [] andalso Late() of
      true -> {Looked, true, More};
      false -> Scan(lists:nthtail(Skip, Rest), Left1 - Skip, Looked, More)
    end end,
{Seen, Truncated, Found} = Scan(All, Count, 0, #{}),
Sorted = lists:sublist(lists:reverse(lists:keysort(2, [{Key, N, Pids} || {Key, {N, Pids}} <- maps:to_list(Found)])), 12),
Total = erlang:max(1, lists:sum([N || {_, N, _} <- Sorted])),
%% what began with proc_lib or with a fun says more in its dictionary or on its stack
Key = fun(Pid, K) ->
  try erlang:process_info(Pid, {dictionary, K}) of
    {_, V} -> V;
    undefined -> undefined
  catch error:badarg ->
    case erlang:process_info(Pid, dictionary) of
      {_, D} -> case lists:keyfind(K, 1, D) of {_, V} -> V; false -> undefined end;
      undefined -> undefined
    end
  end end,
Place = fun(Pid) ->
  case erlang:process_info(Pid, current_stacktrace) of
    {_, S} when S =/= [] -> [{M, F, A} || {M, F, A, _} <- [lists:last(S)], erlang:is_integer(A)];
    _ -> []
  end end,
Parent = fun(Pid) ->
  case Key(Pid, '$ancestors') of
    [A | _] -> A;
    _ -> try erlang:process_info(Pid, parent) of {_, P} -> P; _ -> undefined catch error:badarg -> undefined end
  end end,
Look = fun({proc_lib, _, _}, Pid) -> Key(Pid, '$initial_call');
  ({erlang, apply, 2}, Pid) -> case Place(Pid) of [P] -> P; [] -> undefined end;
  (_, _) -> undefined end,
Told = fun(List) -> %% {What, How many of those looked at, One of them}, the most first
  Counted = lists:foldl(fun({What, Pid}, M) -> case M of #{What := {N, P}} -> M#{What := {N + 1, P}}; _ -> M#{What => {1, Pid}} end end, #{}, List),
  lists:sublist(lists:reverse(lists:keysort(2, [{W, N, P} || {W, {N, P}} <- maps:to_list(Counted)])), 6) end,
#{processes => Count, seen => Seen, truncated => Truncated,
  groups => [begin
    Looked = Some(Pids, erlang:length(Pids), erlang:max(3, 400 * N div Total)),
    #{initial_call => Initial, count => N, looked_at => erlang:length(Looked),
      kinds => [{What, HowMany, Example, Parent(Example)} || {What, HowMany, Example} <- Told([{Look(Initial, Pid), Pid} || Pid <- Looked])]}
    end || {Initial, N, Pids} <- Sorted]}
