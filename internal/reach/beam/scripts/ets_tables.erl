%% All ETS tables: how many and how large, and those with most memory or rows.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(erlang:self(), reductions),
Late = fun() -> %% to wait for a scheduler costs the node nothing
  {reductions, Now} = erlang:process_info(erlang:self(), reductions),
  Wall = erlang:monotonic_time(millisecond) - Began,
  Wall > 2000 orelse Wall > 400 andalso Now - Spent > 5000000 end,
WordSize = erlang:system_info(wordsize),
Ask = fun(Tables, Key) -> lists:zipwith(fun ets:info/2, Tables, lists:duplicate(erlang:length(Tables), Key)) end,
Most = fun(Pairs) -> lists:sublist(lists:reverse(lists:sort(Pairs)), 250) end,
%% an atom would be more than any number: a table that is gone has neither
Sizes = fun(Tables) -> [{M, S, T} || {M, S, T} <- lists:zip3(Ask(Tables, memory), Ask(Tables, size), Tables), erlang:is_integer(M), erlang:is_integer(S)] end,
Scan = fun Scan([], _, Seen, Words, Large, Long) -> {Seen, false, Words, Large, Long};
  Scan(Tables, Left, Seen, Words, Large, Long) ->
    {Chunk, Rest} = lists:split(erlang:min(Left, 500), Tables),
    {Ms, Ss, Ts} = lists:unzip3(Sizes(Chunk)),
    {Large1, Long1} = {Most(lists:zip(Ms, Ts) ++ Large), Most(lists:zip(Ss, Ts) ++ Long)},
    {Looked, Sum} = {Seen + erlang:length(Chunk), Words + lists:sum(Ms)},
    case Rest =/= [] andalso Late() of
      true -> {Looked, true, Sum, Large1, Long1};
      false -> Scan(Rest, erlang:max(0, Left - 500), Looked, Sum, Large1, Long1)
    end end,
All = ets:all(),
Count = erlang:length(All),
{Seen, Truncated, Words, Large, Long} = Scan(All, Count, 0, 0, [], []),
Chosen = lists:usort([T || {_, T} <- Large] ++ [T || {_, T} <- Long]),
Row = fun(T) ->
  case ets:info(T) of
    undefined -> [];
    Info ->
      Get = fun(K) -> case lists:keyfind(K, 1, Info) of {_, V} -> V; false -> undefined end end,
      [#{name => Get(name), id => Get(id), named => Get(named_table), owner => Get(owner), type => Get(type), protection => Get(protection),
         size => Get(size), memory => Get(memory) * WordSize, compressed => Get(compressed),
         read_concurrency => Get(read_concurrency) =/= false, write_concurrency => Get(write_concurrency) =/= false}]
  end end,
#{count => Count, seen => Seen, truncated => Truncated, memory => Words * WordSize, limit => erlang:system_info(ets_limit), tables => lists:flatmap(Row, Chosen)}
