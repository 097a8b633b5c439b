%% Sockets of the module socket, which are no ports. Only the first Limit are described.
Address = fun({ok, #{addr := {_, _, _, _} = A, port := N}}) -> {A, N}; ({ok, #{addr := {_, _, _, _, _, _, _, _} = A, port := N}}) -> {A, N};
             ({ok, #{family := local}}) -> local; (_) -> undefined end,
Row = fun({'$socket', Ref} = S) ->
          I = socket:info(S),
          C = maps:get(counters, I, #{}),
          #{socket => Ref, protocol => maps:get(protocol, I, undefined), owner => maps:get(owner, I, undefined),
            input => maps:get(read_byte, C, 0), output => maps:get(write_byte, C, 0),
            local => Address(socket:sockname(S)), remote => Address(socket:peername(S))}
      end,
case erlang:module_loaded(socket) andalso erlang:whereis(socket_registry) of
    R when is_pid(R) ->
        N = socket:number_of(),
        All = case N =< 10000 of true -> socket:which_sockets(); false -> [] end,
        Rows = lists:map(fun(S) -> try Row(S) catch _:_ -> gone end end, lists:sublist(All, Limit)),
        #{total => N, sockets => [M || M <- Rows, is_map(M)], truncated => N > Limit};
    _ -> #{total => 0, sockets => [], truncated => false}
end
