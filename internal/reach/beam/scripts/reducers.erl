%% The processes that did most in a window of so many milliseconds, as {Reductions,
%% Pid}; with Before > 0 in a window before that too: {Reductions, Pid, Before}.
Infos = fun(Pids) -> lists:zipwith(fun erlang:process_info/2, Pids, lists:duplicate(erlang:length(Pids), reductions)) end,
Number = fun({_, N}) -> N; (undefined) -> 0 end,
Values = fun(Pids) ->
  List = Infos(Pids),
  case lists:member(undefined, List) of
    false -> {_, Vs} = lists:unzip(List), Vs;
    true -> lists:map(Number, List)
  end end,
Chunks = fun Chunks([], _) -> [];
  Chunks(Pids, Left) -> {Chunk, Rest} = lists:split(erlang:min(Left, 1000), Pids), [Chunk | Chunks(Rest, erlang:max(0, Left - 1000))] end,
Everybody = erlang:processes(),
Known = lists:delete(erlang:self(), lists:sublist(Everybody, 200000)),
All = Chunks(Known, erlang:length(Known)),
Sleep = fun(Ms) -> receive never -> ok after Ms -> ok end end,
Clock = fun() -> erlang:monotonic_time(microsecond) end,
At0 = Clock(),
First = case Before > 0 of true -> [Values(C) || C <- All]; false -> none end,
case Before > 0 of true -> Sleep(Before); false -> ok end,
At1 = Clock(),
Second = [Values(C) || C <- All],
Sleep(Window),
At2 = Clock(),
Most = fun(Rows) -> lists:sublist(lists:reverse(lists:sort(Rows)), 400) end,
Minus = fun(As, Bs) -> lists:zipwith(fun erlang:'-'/2, As, Bs) end,
Last = fun Last([], [], _, Top, Sum) -> {Top, Sum};
  Last([Chunk | Cs], [Old | Os], Olders, Top, Sum) ->
    Did = Minus(Values(Chunk), Old),
    {Rows, Rest} = case Olders of
      none -> {lists:zip(Did, Chunk), none};
      [Older | Older1] -> {lists:zip3(Did, Chunk, Minus(Old, Older)), Older1}
    end,
    Added = case lists:min(Did) < 0 of
      true -> lists:sum(lists:filter(fun(N) -> N > 0 end, Did)); %% one of them ended
      false -> lists:sum(Did)
    end,
    Last(Cs, Os, Rest, Most(Most(Rows) ++ Top), Sum + Added) end,
{Top, Sum} = Last(All, Second, First, [], 0),
%% who began meanwhile began with none
New = lists:sublist(erlang:processes() -- Everybody, 5000),
Young = case First of
  none -> lists:zip(Values(New), New);
  _ -> lists:zip3(Values(New), New, lists:duplicate(erlang:length(New), 0))
end,
Found = [R || R <- Most(Young ++ Top), erlang:element(1, R) > 0],
#{processes => erlang:length(Everybody), truncated => erlang:length(Everybody) > erlang:length(Known) + 1, before_us => At1 - At0, window_us => At2 - At1, sum => Sum, top => Found}
