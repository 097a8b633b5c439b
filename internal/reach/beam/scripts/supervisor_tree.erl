%% A supervisor and what is below it, Depth levels, at most Most processes. Name is a registered name, or a process as text.
Info = fun(P, Item) -> case erlang:process_info(P, Item) of {_, V} -> V; _ -> undefined end end,
Atom = fun(Text) -> try erlang:whereis(binary_to_existing_atom(Text, utf8)) catch error:_ -> undefined end end,
Root = case Name of
           <<"<", _/binary>> -> try erlang:list_to_pid(binary_to_list(Name)) catch error:_ -> undefined end;
           _ -> case Atom(Name) of undefined -> Atom(<<"Elixir.", Name/binary>>); Found -> Found end
       end,
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
Tree = fun Tree({Id, P, Type, _}, D, Left) ->
               Base = #{id => Show(Id, 2), key => erlang:phash2(Id), pid => P, type => Type},
               Module = case Type of supervisor -> Kind(P); _ -> undefined end,
               Named = case is_pid(P) andalso node(P) =:= node() of
                           true -> Base#{name => Info(P, registered_name), initial => proc_lib:translate_initial_call(P)};
                           false -> Base
                       end,
               case Module of
                   undefined -> {Named, Left - 1};
                   _ ->
                       case Count(P, 500) of
                           C when is_list(C) ->
                               Total = proplists:get_value(supervisors, C, 0) + proplists:get_value(workers, C, 0),
                               Counted = Named#{module => Module, answers => true, total => Total, active => proplists:get_value(active, C, 0)},
                               case D > 0 andalso Total =< 1000 andalso Total > 0 andalso Left > 1 of
                                   false -> {Counted#{truncated => Total > 0}, Left - 1};
                                   true ->
                                       case Children(P, 500) of
                                           L when is_list(L) ->
                                               {Kept, Left1} = lists:mapfoldl(fun(Child, N) when N > 0 -> Tree(Child, D - 1, N); (_, N) -> {cut, N} end, Left - 1, L),
                                               Told = [K || K <- Kept, is_map(K)],
                                               {Counted#{children => Told, truncated => length(Told) < length(L),
                                                         restarting => length([true || {_, restarting, _, _} <- L]),
                                                         undefined => length([true || {_, undefined, _, _} <- L])}, Left1};
                                           _ -> {Counted#{answers => false, function => Info(P, current_function)}, Left - 1}
                                       end
                               end;
                           late -> {Named#{module => Module, answers => false, function => Info(P, current_function)}, Left - 1};
                           gone -> {Named, Left - 1}
                       end
               end
       end,
case Kind(Root) of
    undefined -> #{found => false};
    _ -> {T, _} = Tree({undefined, Root, supervisor, []}, Depth, Most), #{found => true, tree => T}
end
