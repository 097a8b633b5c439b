%% The supervisors and what they keep: first those below the applications, then those in Known, which were found before,
%% and where Others is true what else is one.
%% Only what began as a supervisor is asked, first for its count and only then, when they are few, for its children.
Began = erlang:monotonic_time(millisecond),
{reductions, Spent} = erlang:process_info(self(), reductions),
Late = fun(Most) ->
           {reductions, Work} = erlang:process_info(self(), reductions),
           Work - Spent > Most orelse erlang:monotonic_time(millisecond) - Began > 2500
       end,
Info = fun(P, Item) -> case erlang:process_info(P, Item) of {_, V} -> V; _ -> undefined end end,
Links = fun(P) -> case Info(P, links) of L when is_list(L) -> [Q || Q <- L, is_pid(Q)]; _ -> [] end end,
Kind = fun(P) ->
           case is_pid(P) andalso node(P) =:= node() andalso proc_lib:translate_initial_call(P) of
               {supervisor, M, 1} -> M;
               {'Elixir.DynamicSupervisor', init, 1} -> 'Elixir.DynamicSupervisor';
               _ -> undefined
           end
       end,
Reply = fun(Call) ->
            try Call() of
                L when is_list(L) -> L;
                M when is_map(M) -> maps:to_list(M);
                _ -> gone
            catch exit:{timeout, _} -> late; _:_ -> gone
            end
        end,
Count = fun(P, Ms) -> Reply(fun() -> gen_server:call(P, count_children, Ms) end) end,
Children = fun(P, Ms) -> Reply(fun() -> gen_server:call(P, which_children, Ms) end) end,
Show = fun Show(T, _) when is_atom(T); is_integer(T) -> T;
           Show(T, D) when is_tuple(T), D > 0 -> list_to_tuple([Show(E, D - 1) || E <- tuple_to_list(T)]);
           Show(T, _) when is_pid(T) -> list_to_binary(erlang:pid_to_list(T));
           Show(_, _) -> '_'
       end,
Row = fun(P, Up, App, Module) -> #{pid => P, parent => Up, app => App, module => Module, name => Info(P, registered_name)} end,
Walk = fun Walk([], S) -> S;
           Walk([{P, Up, App} | More], #{seen := Seen, rows := Rows, slow := Slow, children := Room} = S) ->
               case is_map_key(P, Seen) of
                   true -> Walk(More, S);
                   false ->
                       Module = Kind(P),
                       S1 = S#{seen := Seen#{P => true}},
                       case Module =/= undefined andalso (Late(2000000) orelse Slow >= 3 orelse length(Rows) >= 2000) of
                           true -> S1#{truncated := true};
                           false when Module =:= undefined -> Walk(More, S1);
                           false ->
                               R = Row(P, Up, App, Module),
                               case Count(P, 500) of
                                   gone -> Walk(More, S1);
                                   late -> Walk(More, S1#{slow := Slow + 1, rows := [R#{answers => false, function => Info(P, current_function)} | Rows]});
                                   Counts ->
                                       [Specs, Active, Sups, Workers] = [proplists:get_value(K, Counts, 0) || K <- [specs, active, supervisors, workers]],
                                       Total = Sups + Workers,
                                       Simple = Module =:= 'Elixir.DynamicSupervisor' orelse Specs < Total,
                                       Kept = case Total =< 1000 andalso Total =< Room andalso (not Simple orelse Sups > 0) of
                                                  true -> Children(P, 500);
                                                  false -> []
                                              end,
                                       List = case Kept of _ when is_list(Kept) -> Kept; _ -> [] end,
                                       Dynamic = Simple orelse [true || {undefined, _, _, _} <- List] =/= [],
                                       Below = [{C, P, App} || {_, C, supervisor, _} <- List, is_pid(C)],
                                       Told = case Dynamic of true -> []; false -> [#{id => Show(I, 2), key => erlang:phash2(I), pid => C, type => T} || {I, C, T, _} <- List] end,
                                       R1 = R#{answers => true, total => Total, active => Active, dynamic => Dynamic, children => Told,
                                               restarting => length([true || {_, restarting, _, _} <- List]), undefined => length([true || {_, undefined, _, _} <- List])},
                                       Walk(Below ++ More, S1#{rows := [R1 | Rows], children := Room - length(Told)})
                               end
                       end
               end
       end,
Masters = [M || M <- Links(erlang:whereis(application_controller)), proc_lib:translate_initial_call(M) =:= {application_master, init, 4}],
Starters = [{M, P} || M <- Masters, P <- Links(M), Info(P, initial_call) =:= {application_master, start_it, 4}],
App = fun(P) -> case application:get_application(P) of {ok, A} -> A; _ -> undefined end end,
Tops = [{P, undefined, App(P)} || {M, Starter} <- Starters, P <- Links(Starter), P =/= M],
S0 = Walk(Tops ++ [{P, undefined, App(P)} || P <- Known], #{seen => #{}, rows => [], slow => 0, children => 5000, truncated => false}),
Find = fun Find([], Found) -> {false, Found};
           Find(Left, Found) ->
               case Late(3000000) of
                   true -> {true, Found};
                   false ->
                       N = min(1000, length(Left)),
                       {Now, Later} = lists:split(N, Left),
                       Traps = proplists:get_all_values({trap_exit, true}, lists:zip(lists:zipwith(fun erlang:process_info/2, Now, lists:duplicate(N, trap_exit)), Now)),
                       #{seen := Past} = S0,
                       Find(Later, [P || P <- Traps, not is_map_key(P, Past), Kind(P) =/= undefined] ++ Found)
               end
       end,
{Cut, Strays} = case Others of true -> Find(erlang:processes(), []); false -> {false, []} end,
#{rows := Rows, truncated := Stopped} = Walk([{P, undefined, App(P)} || P <- lists:reverse(Strays)], S0),
#{supervisors => lists:reverse(Rows), truncated => Cut orelse Stopped, ms => erlang:monotonic_time(millisecond) - Began}
