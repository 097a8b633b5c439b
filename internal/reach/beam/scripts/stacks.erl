%% What some processes do, looked at four times: states and functions without arguments, and whom they wait for.
Info = fun(P, Item) -> case erlang:process_info(P, Item) of {_, V} -> V; _ -> undefined end end,
Own = [P || P <- Pids, is_pid(P), node(P) =:= node()],
Stack = fun(P) ->
            case Info(P, current_stacktrace) of
                L when is_list(L) -> [{M, F, case A of _ when is_list(A) -> length(A); _ -> A end} || {M, F, A, _} <- lists:sublist(L, 12)];
                _ -> []
            end
        end,
Look = fun(P) ->
           case Info(P, status) of
               undefined -> gone;
               Status -> #{status => Status, stack => Stack(P), reductions => Info(P, reductions)}
           end
       end,
Pid = fun({process, P}) when is_pid(P) -> P; ({process, {Name, _}}) -> erlang:whereis(Name); (_) -> undefined end,
Looks = [begin receive after 3 -> ok end, [{P, Look(P)} || P <- Own] end || _ <- [1, 2, 3, 4]],
Row = fun(P) ->
          Monitors = case Info(P, monitors) of L when is_list(L) -> L; _ -> [] end,
          Ports = case Info(P, links) of Ls when is_list(Ls) -> [Q || Q <- lists:sublist(Ls, 1000), is_port(Q)]; _ -> [] end,
          #{pid => P, queue => Info(P, message_queue_len),
            looks => [S || All <- Looks, {Q, S} <- All, Q =:= P, is_map(S)],
            monitors => length(Monitors), waits_for => [M || M <- lists:map(Pid, lists:sublist(Monitors, 8)), is_pid(M), node(M) =:= node()],
            ports => [#{port => Q, name => lists:takewhile(fun(C) -> C =/= $\s end, N), queue => S}
                      || Q <- lists:sublist(Ports, 8), {_, N} <- [erlang:port_info(Q, name)], {_, S} <- [erlang:port_info(Q, queue_size)]]}
      end,
#{processes => [R || #{queue := Q} = R <- lists:map(Row, Own), Q =/= undefined]}
