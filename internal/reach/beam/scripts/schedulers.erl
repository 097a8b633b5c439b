%% How busy the schedulers are over Window milliseconds, and how many processes and
%% ports wait for them, asked five times meanwhile. The measurement is on for as long as
%% this process lives.
erlang:system_flag(scheduler_wall_time, true),
Read = fun() -> lists:keysort(1, erlang:statistics(scheduler_wall_time_all)) end,
First = Read(),
Queues = [begin
  receive never -> ok after Window div 5 -> ok end,
  {erlang:statistics(total_run_queue_lengths), erlang:statistics(total_active_tasks)}
  end || _ <- [1, 2, 3, 4, 5]],
Second = Read(),
{Waiting, Active} = lists:unzip(Queues),
#{schedulers => [{Id, Busy2 - Busy1, All2 - All1} || {{Id, Busy1, All1}, {Id, Busy2, All2}} <- lists:zip(First, Second)],
  online => erlang:system_info(schedulers_online), normal => erlang:system_info(schedulers),
  dirty_cpu => erlang:system_info(dirty_cpu_schedulers), dirty_cpu_online => erlang:system_info(dirty_cpu_schedulers_online),
  waiting => Waiting, active => Active}
