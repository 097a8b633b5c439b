%% What the ports come to: how many of each kind, who has most, which have most waiting.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(self(), reductions),
Late = fun() ->
           {reductions, Work} = erlang:process_info(self(), reductions),
           Work - Spent > 4000000 orelse erlang:monotonic_time(millisecond) - Began > 2000
       end,
Drivers = [{tcp, "tcp_inet"}, {udp, "udp_inet"}, {sctp, "sctp_inet"}],
Scan = fun Scan([], S) -> S#{truncated => false};
           Scan(Left, #{seen := Seen, kinds := K, owners := O, queues := Q} = S) ->
               case Late() of
                   true -> S#{truncated => true};
                   false ->
                       N = min(1000, length(Left)),
                       {Now, Later} = lists:split(N, Left),
                       Of = fun(Item) -> lists:zipwith(fun erlang:port_info/2, Now, lists:duplicate(N, Item)) end,
                       Names = lists:zip(Of(name), Now),
                       K1 = [{Kind, Count + length(proplists:get_all_values({name, Driver}, Names))} || {{Kind, Driver}, Count} <- lists:zip(Drivers, K)],
                       %% sorted first: what is interpreted costs more than what the library does
                       Sizes = lists:takewhile(fun({{_, V}, _}) -> V > 0; (_) -> false end, lists:reverse(lists:sort(lists:zip(Of(queue_size), Now)))),
                       Long = lists:sublist(lists:reverse(lists:sort(Sizes ++ Q)), 65),
                       Scan(Later, S#{seen := Seen + N, kinds := [Count || {_, Count} <- K1], owners := Of(connected) ++ O, queues := Long})
               end
       end,
#{seen := Seen, kinds := Counts, owners := Owners, queues := Queues, truncated := Cut} =
    Scan(erlang:ports(), #{seen => 0, kinds => [0, 0, 0], owners => [], queues => []}),
%% Who has more than a fortieth of all ports is met in forty of them, in the order of their owners.
Each = fun Each([], _) -> []; Each([V | More], Step) -> [V | Each(lists:nthtail(min(Step - 1, length(More)), More), Step)] end,
Sorted = lists:sort(Owners),
Some = lists:usort(Each(Sorted, 1 + length(Sorted) div 40)),
Zipped = lists:zip(Owners, Owners),
Most = lists:sublist(lists:reverse(lists:sort([{length(proplists:get_all_values(V, Zipped)), P} || {connected, P} = V <- Some])), 5),
Rows = [#{port => P, queue => V, output => case erlang:port_info(P, output) of {_, W} -> W; _ -> V end} || {{queue_size, V}, P} <- Queues],
#{seen => Seen, truncated => Cut, count => erlang:system_info(port_count), limit => erlang:system_info(port_limit),
  kinds => maps:from_list([{other, Seen - lists:sum(Counts)} | lists:zip([Kind || {Kind, _} <- Drivers], Counts)]),
  owners => [#{pid => P, ports => N} || {N, P} <- Most],
  queues => lists:sublist(Rows, 64), queues_truncated => length(Rows) > 64,
  nif_sockets => case erlang:module_loaded(socket) andalso erlang:whereis(socket_registry) of
                     R when is_pid(R) -> socket:number_of();
                     _ -> 0
                 end}
