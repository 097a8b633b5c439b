%% Ports, those with most of something first. By is queue_size, memory, input, output, or id for the newest first;
%% Inet is true for those of gen_tcp, gen_udp and gen_sctp alone. Only the first Limit are described.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(self(), reductions),
Late = fun() ->
           {reductions, Work} = erlang:process_info(self(), reductions),
           Work - Spent > 1500000 orelse erlang:monotonic_time(millisecond) - Began > 2000
       end,
Drivers = ["tcp_inet", "udp_inet", "sctp_inet"],
Scan = fun Scan([], Seen, Total, Best) -> {false, Seen, Total, Best};
           Scan(Left, Seen, Total, Best) ->
               case Late() of
                   true -> {true, Seen, Total, Best};
                   false ->
                       N = min(1000, length(Left)),
                       {Some, Later} = lists:split(N, Left),
                       Of = fun(Item, Ports) -> lists:zipwith(fun erlang:port_info/2, Ports, lists:duplicate(length(Ports), Item)) end,
                       Now = case Inet of
                                 true -> Named = lists:zip(Of(name, Some), Some), lists:append([proplists:get_all_values({name, D}, Named) || D <- Drivers]);
                                 false -> Some
                             end,
                       Open = lists:zip(Of(By, Now), Now),
                       Known = Open -- [{undefined, P} || P <- proplists:get_all_values(undefined, Open)],
                       Scan(Later, Seen + N, Total + length(Known), lists:sublist(lists:reverse(lists:sort(Known ++ Best)), Limit))
               end
       end,
{Cut, Seen, Total, Best} = Scan(erlang:ports(), 0, 0, []),
Get = fun(P, Item) -> case erlang:port_info(P, Item) of {_, V} -> V; _ -> undefined end end,
Address = fun({ok, {{_, _, _, _} = A, Port}}) -> {A, Port}; ({ok, {{_, _, _, _, _, _, _, _} = A, Port}}) -> {A, Port}; ({ok, {local, _}}) -> local; (_) -> undefined end,
Socket = fun(P) ->
             Known = erlang:module_loaded(inet),
             Stat = case Known andalso inet:getstat(P) of {ok, L} -> maps:from_list(L); _ -> undefined end,
             Full = case Known andalso inet:getopts(P, [high_watermark]) of {ok, [{_, W}]} -> W; _ -> undefined end,
             #{local => Known andalso Address(inet:sockname(P)), remote => Known andalso Address(inet:peername(P)), stat => Stat, busy_from => Full}
         end,
Row = fun({_, P}) ->
          Name = lists:takewhile(fun(C) -> C =/= $\s end, case Get(P, name) of undefined -> ""; Text -> Text end),
          R = #{port => P, name => Name, input => Get(P, input), output => Get(P, output), queue => Get(P, queue_size), memory => Get(P, memory),
                os_pid => Get(P, os_pid), owner => Get(P, connected)},
          case lists:member(Name, Drivers) of
              true -> maps:merge(R, Socket(P));
              false -> R
          end
      end,
#{seen => Seen, total => Total, truncated => Cut, ports => [R || #{queue := Q} = R <- lists:map(Row, Best), is_integer(Q)]}
