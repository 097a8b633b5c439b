package beam

// An allowance is what scripts of a level, and of those above it, may call.
type allowance struct {
	level Level
	calls []string
}

var allowed = []allowance{
	{Observe, []string{
		// Values only: nothing outside the process that asks.
		"erlang:element/2", "erlang:length/1", "erlang:self/0", "erlang:exit/1", "erlang:hd/1", "erlang:min/2", "erlang:max/2", "erlang:trunc/1", "erlang:'+'/2",
		"erlang:'-'/2", "erlang:phash2/1", "erlang:binary_to_existing_atom/2", "erlang:binary_to_list/1", "erlang:integer_to_binary/2", "erlang:is_atom/1", "erlang:is_binary/1",
		"erlang:is_integer/1", "erlang:is_list/1", "erlang:is_map/1", "erlang:is_map_key/2", "erlang:is_pid/1", "erlang:is_port/1", "erlang:is_tuple/1", "erlang:list_to_binary/1",
		"erlang:list_to_pid/1", "erlang:list_to_port/1", "erlang:list_to_ref/1", "erlang:list_to_tuple/1", "erlang:pid_to_list/1", "erlang:tuple_to_list/1",
		"io_lib:format/2", "lists:any/2", "lists:append/1", "lists:delete/2", "lists:duplicate/2", "lists:filter/2", "lists:flatmap/2", "lists:flatten/1", "lists:foldl/3",
		"lists:keyfind/3", "lists:keysort/2", "lists:last/1", "lists:map/2", "lists:mapfoldl/3", "lists:max/1", "lists:member/2", "lists:min/1", "lists:nth/2",
		"lists:nthtail/2", "lists:reverse/1", "lists:seq/2", "lists:seq/3", "lists:sort/1", "lists:split/2", "lists:sublist/2", "lists:sublist/3", "lists:sum/1",
		"lists:takewhile/2", "lists:ukeysort/2", "lists:unzip/1", "lists:unzip3/1", "lists:usort/1", "lists:zip/2", "lists:zip3/3", "lists:zipwith/3", "lists:zipwith3/4",
		"maps:from_list/1", "maps:get/2", "maps:get/3", "maps:merge/2", "maps:to_list/1", "maps:update_with/4", "proplists:get_all_values/2", "proplists:get_value/3",
		"unicode:characters_to_list/1",
		// Schedulers are measured for as long as the process lives that asked for it.
		"erlang:system_flag_scheduler_wall_time/2",
		// Reading the node.
		"application:get_application/1", "application:loaded_applications/0", "erlang:is_process_alive/1", "erlang:memory/0", "erlang:module_loaded/1", "erlang:monotonic_time/1",
		"erlang:node/0", "erlang:node/1", "erlang:port_info/1", "erlang:port_info/2", "erlang:ports/0", "erlang:process_info/2", "erlang:processes/0", "erlang:registered/0",
		"erlang:statistics/1", "erlang:system_info/1", "erlang:whereis/1", "ets:all/0", "ets:info/1", "ets:info/2", "os:getpid/0", "persistent_term:info/0",
		"proc_lib:translate_initial_call/1",
		// What the driver of a socket answers at once, from its own counters and the kernel's names.
		"inet:getopts/2", "inet:getstat/1", "inet:peername/1", "inet:sockname/1", "socket:info/1", "socket:number_of/0", "socket:peername/1", "socket:sockname/1",
		"socket:which_sockets/0",
		// Questions to what is certainly a supervisor, which it answers from its state.
		"gen_server:'call count_children'/3", "gen_server:'call which_children'/3",
	}},
	// Agents are processes of their own, with others that undo what they did.
	{Events, []string{
		"erlang:is_atom/1", "erlang:is_binary/1", "erlang:is_integer/1", "erlang:is_pid/1", "erlang:is_port/1", "erlang:byte_size/1", "erlang:node/0", "erlang:node/1",
		"erlang:system_time/1", "erlang:port_info/2",
		"erlang:spawn/1", "erlang:spawn_opt/2", "erlang:monitor/2", "erlang:monitor_node/2", "erlang:send/2", "erlang:send/3", "erlang:exit/2", "erlang:start_timer/3", "erlang:cancel_timer/1",
		"erlang:system_monitor/0", "erlang:system_monitor/2",
		"logger:add_handler/3", "logger:remove_handler/1", "logger:get_handler_ids/0", "logger:format_report/1", "logger_filters:level/2", "logger_filters:remote_gl/2", "lists:member/2",
	}},
	{Trace, []string{
		"erlang:binary_to_existing_atom/2", "erlang:min/2", "erlang:module_loaded/1", "erlang:process_flag/2", "erlang:processes/0",
		"erlang:trace/3", "erlang:trace_info/2", "erlang:trace_pattern/3", "lists:duplicate/2", "lists:split/2", "lists:usort/1", "lists:zipwith/3",
	}},
}

// agents may call what no other script may: to have another process undo what they did.
var agents = []string{"erlang:spawn", "erlang:spawn_opt"}

// denied are modules and functions that change a node, or let it change.
var denied = []string{
	"erlang:halt", "erlang:apply", "erlang:spawn", "erlang:spawn_link", "erlang:spawn_opt", "erlang:spawn_request", "erlang:open_port", "erlang:port_command", "erlang:port_control",
	"erlang:port_close", "erlang:load_nif", "erlang:load_module", "erlang:delete_module", "erlang:purge_module", "erlang:set_cookie", "erlang:disconnect_node", "erlang:register",
	"erlang:unregister", "erlang:suspend_process", "erlang:resume_process", "erlang:garbage_collect", "erlang:process_flag/3", "erlang:put", "erlang:erase", "erlang:binary_to_atom",
	"erlang:list_to_atom", "erlang:binary_to_term", "erlang:group_leader", "dynamic:*", "os:cmd", "os:putenv", "init:*", "code:load_*", "code:purge", "code:delete", "file:*", "application:set_env",
	"application:start", "application:stop", "ets:insert", "ets:insert_new", "ets:delete", "ets:new", "ets:tab2list", "ets:lookup", "ets:match", "ets:select", "ets:give_away", "persistent_term:put",
	"persistent_term:get", "persistent_term:erase", "sys:*", "dbg:*", "rpc:*", "erpc:*", "erl_eval:*", "supervisor:terminate_child", "supervisor:restart_child", "supervisor:delete_child",
	"supervisor:start_child", "net_kernel:*", "gen_tcp:*", "ssl:*", "inet:setopts",
}
