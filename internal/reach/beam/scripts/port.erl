%% One port. Port is its text, #Port<0.5>; a text that is none, and a port that is closed, is not found.
Found = try erlang:list_to_port(binary_to_list(Port)) catch error:_ -> undefined end,
Info = case Found of undefined -> undefined; _ -> erlang:port_info(Found) end,
Get = fun(Item) -> case erlang:port_info(Found, Item) of {_, V} -> V; _ -> undefined end end,
Address = fun({ok, {{_, _, _, _} = A, N}}) -> {A, N}; ({ok, {{_, _, _, _, _, _, _, _} = A, N}}) -> {A, N}; ({ok, {local, _}}) -> local; (_) -> undefined end,
case Info of
    undefined -> #{found => false};
    _ ->
        Name = lists:takewhile(fun(C) -> C =/= $\s end, proplists:get_value(name, Info, "")),
        R = #{port => Found, name => Name, input => Get(input), output => Get(output), queue => Get(queue_size), memory => Get(memory),
              os_pid => Get(os_pid), owner => Get(connected), links => length(proplists:get_value(links, Info, []))},
        Inet = lists:member(Name, ["tcp_inet", "udp_inet", "sctp_inet"]) andalso erlang:module_loaded(inet),
        S = case Inet of
                true ->
                    Stat = case inet:getstat(Found) of {ok, L} -> maps:from_list(L); _ -> undefined end,
                    Full = case inet:getopts(Found, [high_watermark]) of {ok, [{_, W}]} -> W; _ -> undefined end,
                    #{local => Address(inet:sockname(Found)), remote => Address(inet:peername(Found)), stat => Stat, busy_from => Full};
                false -> #{}
            end,
        #{found => true, port => maps:merge(R, S)}
end
