%% What some processes are; Pids that are gone are left out. Of the dictionary only
%% three keys are read, one by one where the release can (OTP 26.2).
WordSize = erlang:system_info(wordsize),
Keys = fun(Pid) ->
  Wanted = ['$initial_call', '$process_label', '$ancestors'],
  try [case erlang:process_info(Pid, {dictionary, K}) of {_, V} -> V; undefined -> undefined end || K <- Wanted]
  catch error:badarg ->
    case erlang:process_info(Pid, dictionary) of
      {_, D} -> [case lists:keyfind(K, 1, D) of {_, V} -> V; false -> undefined end || K <- Wanted];
      undefined -> [undefined, undefined, undefined]
    end
  end end,
Mfa = fun({M, F, A}) when erlang:is_integer(A) -> {M, F, A};
  ({M, F, A}) when erlang:is_list(A) -> {M, F, erlang:length(A)};
  ({M, F, A, _}) when erlang:is_integer(A) -> {M, F, A};
  ({M, F, A, _}) when erlang:is_list(A) -> {M, F, erlang:length(A)};
  (_) -> undefined end,
Text = fun(undefined) -> undefined;
  (L) when erlang:is_atom(L) -> L;
  (L) when erlang:is_binary(L) ->
    case unicode:characters_to_list(L) of T when erlang:is_list(T) -> lists:sublist(T, 100); _ -> undefined end;
  (L) -> lists:sublist(lists:flatten(io_lib:format("~0tP", [L, 12])), 100) end,
Parent = fun(Pid) ->
  try erlang:process_info(Pid, parent) of
    {_, P} when erlang:is_pid(P) -> P;
    _ -> undefined
  catch error:badarg -> undefined end end,
Sizes = fun(Pid, Length) when Length =< 10000 ->
    case erlang:process_info(Pid, [memory, total_heap_size, heap_size, stack_size, garbage_collection]) of
      undefined -> #{};
      [{_, Memory}, {_, Total}, {_, Heap}, {_, Stack}, {_, Gc}] ->
        {_, Minor} = lists:keyfind(minor_gcs, 1, Gc),
        {_, Full} = lists:keyfind(fullsweep_after, 1, Gc),
        #{memory => Memory, total_heap_size => Total * WordSize, heap_size => Heap * WordSize, stack_size => Stack * WordSize,
          minor_gcs => Minor, fullsweep_after => Full}
    end;
  (_, _) -> #{} end,
One = fun(Pid) ->
  case erlang:process_info(Pid, [registered_name, initial_call, current_function, current_stacktrace, status, message_queue_len, reductions]) of
    undefined -> [];
    [{_, Name}, {_, Initial}, {_, Current}, {_, Stack}, {_, Status}, {_, Length}, {_, Reductions}] ->
      [Started, Label, Family] = Keys(Pid),
      Ancestors = case erlang:is_list(Family) of
        true -> [A || A <- lists:sublist(Family, 5), erlang:is_atom(A) orelse erlang:is_pid(A)];
        false -> []
      end,
      [maps:merge(Sizes(Pid, Length),
        #{pid => Pid, registered_name => Name, label => Text(Label), started => Mfa(Started),
          initial_call => Mfa(Initial), current_function => Mfa(Current), stack => [F || F <- lists:map(Mfa, lists:sublist(Stack, 8)), F =/= undefined],
          ancestors => Ancestors, parent => Parent(Pid), status => Status, message_queue_len => Length, reductions => Reductions})]
  end end,
lists:flatmap(One, Pids)
