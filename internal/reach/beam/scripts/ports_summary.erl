%% What the ports come to: how many of each kind, who has most, which have most waiting.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(self(), reductions),
Late = fun() ->
           {reductions, Work} = erlang:process_info(self(), reductions),
           Work - Spent > 1500000 orelse erlang:monotonic_time(millisecond) - Began > 2000
       end,
Kinds = #{"tcp_inet" => tcp, "udp_inet" => udp, "sctp_inet" => sctp},
Add = fun(V, M) -> maps:update_with(V, fun(N) -> N + 1 end, 1, M) end,
Most = fun(N, L) -> lists:sublist(lists:reverse(lists:sort(L)), N) end,
Scan = fun Scan([], S) -> S#{truncated => false};
           Scan(Left, #{seen := Seen, kinds := K, owners := O, queues := Q} = S) ->
               case Late() of
                   true -> S#{truncated => true};
                   false ->
                       N = min(1000, length(Left)),
                       {Now, Later} = lists:split(N, Left),
                       Of = fun(Item) -> lists:zipwith(fun erlang:port_info/2, Now, lists:duplicate(N, Item)) end,
                       K1 = lists:foldl(fun({name, Name}, M) -> Add(maps:get(Name, Kinds, other), M); (_, M) -> M end, K, Of(name)),
                       O1 = lists:foldl(fun({connected, P}, M) -> Add(P, M); (_, M) -> M end, O, Of(connected)),
                       Sizes = lists:zip(Of(queue_size), Now),
                       Long = Most(65, (Sizes -- [{{queue_size, 0}, P} || {{queue_size, 0}, P} <- Sizes]) ++ Q),
                       Scan(Later, S#{seen := Seen + N, kinds := K1, owners := O1, queues := Long})
               end
       end,
#{seen := Seen, kinds := ByKind, owners := Owners, queues := Queues, truncated := Cut} =
    Scan(erlang:ports(), #{seen => 0, kinds => #{}, owners => #{}, queues => []}),
Rows = [#{port => P, queue => V, output => case erlang:port_info(P, output) of {_, W} -> W; _ -> V end} || {{queue_size, V}, P} <- Queues],
#{seen => Seen, truncated => Cut, limit => erlang:system_info(port_limit), kinds => ByKind,
  owners => [#{pid => P, ports => N} || {N, P} <- Most(5, [{N, P} || {P, N} <- maps:to_list(Owners)])],
  queues => lists:sublist(Rows, 64), queues_truncated => length(Rows) > 64,
  nif_sockets => case erlang:module_loaded(socket) andalso erlang:whereis(socket_registry) of
                     R when is_pid(R) -> socket:number_of();
                     _ -> 0
                 end}
