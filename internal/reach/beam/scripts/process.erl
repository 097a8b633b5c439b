%% The process that a text <0.1.2> names: gone, or what it is and did; with Binaries
%% true the largest 200 binaries that it holds, of at most 150,000.
WordSize = erlang:system_info(wordsize),
Pid = try erlang:list_to_pid(erlang:binary_to_list(Text)) catch error:badarg -> none end,
case erlang:is_pid(Pid) andalso erlang:node(Pid) =:= erlang:node() andalso erlang:process_info(Pid, [reductions, garbage_collection_info, garbage_collection, message_queue_len]) of
  [{_, Reductions}, {_, Info}, {_, Gc}, {_, Length}] ->
    Get = fun(K) -> {_, V} = lists:keyfind(K, 1, Info), V end,
    Bytes = (Get(bin_vheap_size) + Get(bin_old_vheap_size)) * WordSize,
    AtMost = erlang:min(Bytes div 64, (Get(heap_size) + Get(old_heap_size) + Get(mbuf_size)) div 3),
    {_, Minor} = lists:keyfind(minor_gcs, 1, Gc),
    Base = #{pid => Pid, reductions => Reductions, minor_gcs => Minor, held => Bytes, at => erlang:monotonic_time(microsecond)},
    case Binaries andalso Length =< 10000 andalso AtMost =< 150000 andalso erlang:process_info(Pid, binary) of
      {_, List} ->
        Largest = lists:sublist(lists:reverse(lists:keysort(2, List)), 200),
        Base#{count => erlang:length(List), memory => lists:sum([Size || {_, Size, _} <- List]),
          binaries => [#{id => erlang:integer_to_binary(Id, 16), size => Size, refs => Refs} || {Id, Size, Refs} <- Largest]};
      _ -> Base
    end;
  _ -> #{pid => undefined}
end
