%% One table, by its name or by its id as text; no name is made that the node has not.
WordSize = erlang:system_info(wordsize),
Named = fun(Text) -> try [erlang:binary_to_existing_atom(Text, utf8)] catch error:_ -> [] end end,
Atoms = Named(Name) ++ Named(<<"Elixir.", Name/binary>>),
Refs = try [erlang:list_to_ref(erlang:binary_to_list(Name))] catch error:_ -> [] end,
There = fun(T) -> try ets:info(T, size) =/= undefined catch error:badarg -> false end end, %% a reference to something else
Direct = lists:filter(There, Refs ++ Atoms),
Same = fun(T) -> lists:member(ets:info(T, name), Atoms) end,
Tables = case {Direct, Atoms} of
  {[], []} -> [];
  {[], _} -> lists:filter(Same, ets:all());
  _ -> Direct
end,
Found = lists:append([case ets:info(T) of undefined -> []; I -> [I] end || T <- lists:sublist(Tables, 20)]),
Row = fun(Info) ->
  Get = fun(K) -> case lists:keyfind(K, 1, Info) of {_, V} -> V; false -> undefined end end,
  #{name => Get(name), id => Get(id), named => Get(named_table), owner => Get(owner), type => Get(type), protection => Get(protection),
    size => Get(size), memory => Get(memory) * WordSize, compressed => Get(compressed),
    read_concurrency => Get(read_concurrency) =/= false, write_concurrency => Get(write_concurrency) =/= false} end,
#{matches => erlang:length(Tables), tables => lists:map(Row, Found)}
