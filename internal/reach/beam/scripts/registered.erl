%% The registered processes with a heap of at least so many bytes and an empty queue,
%% as {Bytes, Pid}.
Words = erlang:max(1, Bytes div erlang:system_info(wordsize)),
Names = lists:sublist(erlang:registered(), 5000),
Found = [{Total, Pid} || Name <- Names, Pid <- [erlang:whereis(Name)], erlang:is_pid(Pid),
  erlang:process_info(Pid, message_queue_len) =:= {message_queue_len, 0},
  {_, Total} <- [erlang:process_info(Pid, total_heap_size)], Total >= Words],
Sorted = lists:sublist(lists:reverse(lists:sort(Found)), 100),
#{processes => erlang:length(Names), seen => erlang:length(Names), truncated => erlang:length(Found) > 100,
  top => [{Total * erlang:system_info(wordsize), Pid} || {Total, Pid} <- Sorted]}
