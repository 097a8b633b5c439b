%% Processes that are suspended, as those are that write to a full port. The one whose write filled it waits for it
%% otherwise, and is not among them.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(self(), reductions),
Late = fun() ->
           {reductions, Work} = erlang:process_info(self(), reductions),
           Work - Spent > 3000000 orelse erlang:monotonic_time(millisecond) - Began > 2000
       end,
Scan = fun Scan([], Seen, Found) -> {false, Seen, Found};
           Scan(Left, Seen, Found) ->
               case Late() of
                   true -> {true, Seen, Found};
                   false ->
                       N = min(1000, length(Left)),
                       {Now, Later} = lists:split(N, Left),
                       Infos = lists:zipwith(fun erlang:process_info/2, Now, lists:duplicate(N, status)),
                       Scan(Later, Seen + N, proplists:get_all_values({status, suspended}, lists:zip(Infos, Now)) ++ Found)
               end
       end,
{Cut, Seen, Found} = Scan(erlang:processes(), 0, []),
Ports = fun(P) -> case erlang:process_info(P, links) of {_, L} -> [Q || Q <- lists:sublist(L, 1000), is_port(Q)]; _ -> [] end end,
#{seen => Seen, truncated => Cut, total => length(Found), processes => [#{pid => P, ports => Ports(P)} || P <- lists:sublist(Found, Limit)]}
