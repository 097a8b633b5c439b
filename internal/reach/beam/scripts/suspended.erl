%% Processes that are held up by a full port: suspended, or waiting until what they wrote is sent.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(self(), reductions),
Late = fun() ->
           {reductions, Work} = erlang:process_info(self(), reductions),
           Work - Spent > 1500000 orelse erlang:monotonic_time(millisecond) - Began > 2000
       end,
Scan = fun Scan([], Seen, Found) -> {false, Seen, Found};
           Scan(Left, Seen, Found) ->
               case Late() of
                   true -> {true, Seen, Found};
                   false ->
                       N = min(1000, length(Left)),
                       {Now, Later} = lists:split(N, Left),
                       Of = fun(Item) -> lists:zip(lists:zipwith(fun erlang:process_info/2, Now, lists:duplicate(N, Item)), Now) end,
                       Held = proplists:get_all_values({status, suspended}, Of(status)),
                       In = Of(current_function),
                       Sends = lists:append([proplists:get_all_values({current_function, F}, In) || F <- [{prim_inet, send_recv_reply, 2}, {prim_inet, send, 3}]]),
                       Scan(Later, Seen + N, Held ++ (Sends -- Held) ++ Found)
               end
       end,
{Cut, Seen, Found} = Scan(erlang:processes(), 0, []),
Ports = fun(P) -> case erlang:process_info(P, links) of {_, L} -> [Q || Q <- lists:sublist(L, 1000), is_port(Q)]; _ -> [] end end,
#{seen => Seen, truncated => Cut, total => length(Found), processes => [#{pid => P, ports => Ports(P)} || P <- lists:sublist(Found, Limit)]}
