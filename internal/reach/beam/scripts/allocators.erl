%% What the memory allocators hold: of each the parts of each of its instances that
%% tell of blocks and carriers, as the emulator gives them.
Parts = fun(Instance) -> [{K, lists:sublist(P, 8)} || {K, P} <- [lists:keyfind(K, 1, Instance) || K <- [mbcs, mbcs_pool, sbcs]]] end,
lists:flatmap(fun(Name) ->
  case erlang:system_info({allocator, Name}) of
    List when erlang:is_list(List) -> [{Name, lists:append([Parts(I) || {instance, _, I} <- List])}];
    _ -> []
  end end,
  [binary_alloc, eheap_alloc, ets_alloc, fix_alloc, literal_alloc, temp_alloc, sl_alloc, std_alloc, ll_alloc, driver_alloc])
