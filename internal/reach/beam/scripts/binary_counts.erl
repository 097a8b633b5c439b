%% What some processes hold in binaries, and of those in Count how many that are. A
%% process lists them itself, for us: it is not asked where the list may have more than
%% 150,000.
WordSize = erlang:system_info(wordsize),
One = fun(Pid) ->
  case erlang:process_info(Pid, [garbage_collection_info, garbage_collection, message_queue_len]) of
    undefined -> [];
    [{_, Info}, {_, Gc}, {_, Length}] ->
      Get = fun(K) -> {_, V} = lists:keyfind(K, 1, Info), V end,
      Bytes = (Get(bin_vheap_size) + Get(bin_old_vheap_size)) * WordSize,
      %% one of them is larger than 64 bytes, and its handle takes three words or more
      AtMost = erlang:min(Bytes div 64, (Get(heap_size) + Get(old_heap_size) + Get(mbuf_size)) div 3),
      {_, Minor} = lists:keyfind(minor_gcs, 1, Gc),
      Base = #{pid => Pid, held => Bytes, minor_gcs => Minor},
      case Length =< 10000 andalso AtMost =< 150000 andalso lists:member(Pid, Count) of
        false -> [Base];
        true ->
          case erlang:process_info(Pid, binary) of
            undefined -> [];
            {_, List} ->
              [Base#{count => erlang:length(List), memory => lists:sum([Size || {_, Size, _} <- List])}]
          end
      end
  end end,
lists:flatmap(One, Pids)
