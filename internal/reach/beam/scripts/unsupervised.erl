%% Processes that nobody looks after: those without links and monitors, and those of which an ancestor has died.
%% Limit is how many of each are named: those with the longest queues, or, where Even is true, evenly taken from all.
Began = erlang:monotonic_time(microsecond),
{reductions, Spent} = erlang:process_info(self(), reductions),
Late = fun(Most) ->
           {reductions, Work} = erlang:process_info(self(), reductions),
           Work - Spent > Most orelse erlang:monotonic_time(microsecond) - Began > 2000000
       end,
System = [{erts_code_purger, start, 0}, {erts_literal_area_collector, start, 0}, {erts_dirty_process_signal_handler, start, 0}, {prim_file, start, 0},
          {socket_registry, start, 0}, {erts_trace_cleaner, start, 0}, {erl_init, start, 2}, {init, boot, 1}],
Info = fun(P, Item) -> case erlang:process_info(P, Item) of {_, V} -> V; _ -> undefined end end,
Of = fun(Item, Pids) -> lists:zipwith(fun erlang:process_info/2, Pids, lists:duplicate(length(Pids), Item)) end,
With = fun(Item, Value, Pids) -> proplists:get_all_values({Item, Value}, lists:zip(Of(Item, Pids), Pids)) end,
Dead = fun(P) when is_pid(P) -> node(P) =:= node() andalso not erlang:is_process_alive(P);
          (A) when is_atom(A) -> erlang:whereis(A) =:= undefined;
          (_) -> false
       end,
Parents = try erlang:process_info(self(), parent) of _ -> true catch error:_ -> false end,
Scan = fun Scan([], S) -> S;
           Scan(Left, #{seen := Seen, lone := Lone, left := Abandoned} = S) ->
               case Late(2500000) of
                   true -> S#{truncated := true};
                   false ->
                       N = min(1000, length(Left)),
                       {Now, Later} = lists:split(N, Left),
                       NoLinks = With(links, [], Now),
                       Alone = With(monitored_by, [], With(monitors, [], NoLinks)),
                       Began1 = lists:zip(Of(initial_call, Alone), Alone),
                       Own = lists:append([proplists:get_all_values({initial_call, M}, Began1) || M <- System]),
                       Lost = case Parents of
                                  true ->
                                      Ups = Of(parent, Now),
                                      Gone = [U || {_, P} = U <- lists:usort(Ups), Dead(P), P =/= undefined],
                                      With1 = lists:zip(Ups, Now),
                                      lists:append([proplists:get_all_values(U, With1) || U <- Gone]);
                                  false -> NoLinks -- Own
                              end,
                       Scan(Later, S#{seen := Seen + N, lone := (Alone -- [self() | Own]) ++ Lone, left := Lost ++ Abandoned})
               end
       end,
#{seen := Seen, lone := Lone, left := Lost, truncated := Cut} = Scan(erlang:processes(), #{seen => 0, lone => [], left => [], truncated => false}),
Key = try erlang:process_info(self(), {dictionary, '$ancestors'}) of _ -> {dictionary, '$ancestors'} catch error:_ -> dictionary end,
Named = fun({{dictionary, '$ancestors'}, [_ | _] = L}) -> L;
           ({dictionary, D}) -> case lists:keyfind('$ancestors', 1, D) of {_, [_ | _] = L} -> L; _ -> [] end;
           (_) -> []
        end,
%% Who started these ends when the node has begun.
Controller = erlang:whereis(application_controller),
Boot = [Controller, erlang:whereis(logger)] ++ case Info(Controller, links) of L0 when is_list(L0) -> L0; _ -> [] end,
Judge = fun Judge([], Out) -> {false, Out};
            Judge(Left, Out) ->
                case Late(3500000) of
                    true -> {true, Out};
                    false ->
                        {Now, Later} = lists:split(min(200, length(Left)), Left),
                        Judge(Later, [{P, A} || {I, P} <- lists:zip(Of(Key, Now), Now), A <- [Named(I)], A =/= [], Parents orelse lists:any(Dead, A)] ++ Out)
                end
        end,
{Cut1, Orphans} = Judge(lists:reverse(Lost) -- Boot, []),
Spread = fun Spread([], _) -> []; Spread([P | More], Step) -> [P | Spread(lists:nthtail(min(Step - 1, length(More)), More), Step)] end,
First = fun(Ps) when Even -> Spread(Ps, 1 + length(Ps) div Limit);
           (Ps) ->
            Some = lists:sublist(Ps, 1000),
            lists:sublist([P || {_, P} <- lists:reverse(lists:sort(lists:zip(Of(message_queue_len, Some), Some)))], Limit)
        end,
Text = fun(P) when is_pid(P) -> list_to_binary(erlang:pid_to_list(P)); (A) -> A end,
Known = maps:from_list(Orphans),
Gone = fun(P, A) ->
           Up = case Parents of true -> Info(P, parent); false -> undefined end,
           case [D || D <- A, Dead(D)] of
               [] when is_pid(Up) -> [Up];
               L -> lists:sublist(L, 5)
           end
       end,
#{seen => Seen, truncated => Cut orelse Cut1, by_parent => Parents, unlinked => length(Lone), unlinked_pids => First(Lone),
  orphans => length(Orphans),
  orphan_rows => [#{pid => P, dead => lists:map(Text, Gone(P, A)), parent => Text(hd(A))} || P <- First([P || {P, _} <- Orphans]), A <- [maps:get(P, Known)]],
  us => erlang:monotonic_time(microsecond) - Began}
