// Made from the types of the API by `go run ./internal/docgen/gen`. Do not edit.

export interface Ack {
  at: string;
  by: string;
  id: string;
}

export interface Anomaly {
  baseline: number;
  detected_at: string;
  deviations?: number;
  id: string;
  kind: string;
  metric: string;
  node: string;
  quiet?: boolean;
  score: number;
  series?: Point[] | null;
  severity: string;
  since: string;
  skill: string;
  target: string;
  unit?: string;
  value: number;
}

export interface AskPart {
  concerns: string[] | null;
  findings: string[] | null;
  summary: string;
}

export interface AskReply {
  concerns: string[] | null;
  figures?: (Figure[] | null)[] | null;
  findings: string[] | null;
  investigation_id: string;
  model: string;
  run_id: string;
  summary: string;
  usage: Usage;
}

export interface Asked {
  id: string;
}

export interface Bundle {
  expired?: string[] | null;
  facts: Notification[] | null;
  insight: Insight;
  journals: { [name: string]: Record[] | null } | null;
  radius?: Radius;
  runs: Run[] | null;
  said: Said;
  similar: SimilarInsight[] | null;
  superseded_by?: string;
  type: string;
}

export interface CallDoc {
  aliases?: string[] | null;
  doc: string;
  example: string;
  level?: string;
  name: string;
  params?: Param[] | null;
}

export interface CallReply {
  at: string;
  callback: string;
  error?: string;
  node: string;
  target: string;
  truncated?: boolean;
  value?: unknown;
}

export interface ChainLink {
  at: string;
  evidence?: string;
  node: string;
  role: string;
  what: string;
}

export interface Change {
  at: string;
  from?: string;
  id: string;
  node: string;
  source: string;
  target?: string;
  text: string;
  to?: string;
  what: string;
}

export interface Check {
  advice?: string;
  ask?: string;
  critical?: number;
  metric: string;
  op: string;
  resource?: string;
  says: string;
  warn?: number;
}

export interface CitingFinding {
  id: string;
  verified: boolean;
}

export interface DeadLetter {
  at: string;
  body: string;
  by: string;
  header?: { [name: string]: string[] | null } | null;
  reason: string;
  sequence: number;
  stream: string;
  subject: string;
  truncated?: boolean;
}

export interface Event {
  at: string;
  message: unknown;
  subject: string;
  topic: string;
}

export interface Evidence {
  address: string;
  baseline?: number;
  name: string;
  node?: string;
  series?: Point[] | null;
  target?: string;
  threshold?: number;
  unit?: string;
  value: unknown;
}

export interface EvidenceView {
  address: string;
  cited_by: string[] | null;
  evidence?: Evidence;
  findings?: CitingFinding[] | null;
  from: string;
  kept_until?: string;
  note?: string;
  result?: ToolResult;
  series?: Point[] | null;
  skew_ms?: number;
  snapshot?: Snapshot;
}

export interface Feedback {
  at: string;
  by: string;
  comment?: string;
  id: string;
  verdict: string;
}

export interface Figure {
  evidence?: string;
  found: boolean;
  nearest?: string;
  text: string;
  unit?: string;
  value: number;
}

export interface HealthCheck {
  fix?: string;
  limit?: string;
  name: string;
  says: string;
  verdict: string;
}

export interface HeartbeatSkill {
  hash: string;
  kind: string;
  skill: string;
}

export interface HeartbeatTarget {
  kind: string;
  name: string;
  skills: string[] | null;
}

export interface Insight {
  chain?: ChainLink[] | null;
  confidence: string;
  correlation_type: string;
  created_at: string;
  evidence: Evidence[] | null;
  figures?: Figure[] | null;
  grounding: string;
  group?: string;
  hypothesis_grounded: boolean;
  id: string;
  investigation_id: string;
  matched_observations: string[] | null;
  model: string;
  nodes: string[] | null;
  not_checked: string[] | null;
  notification_ids: string[] | null;
  root_cause_hypothesis?: string;
  ruled_out: string[] | null;
  severity: string;
  skills: string[] | null;
  suggested_actions: string[] | null;
  summary: string;
  supersedes?: string;
  supporting_ids: string[] | null;
  trigger: string;
  usage: Usage;
}

export interface InsightView {
  expired?: string[] | null;
  facts: Notification[] | null;
  insight: Insight;
  runs: Run[] | null;
  said: Said;
  similar: SimilarInsight[] | null;
  superseded_by?: string;
}

export interface Investigation {
  accepted_at?: string;
  deadline?: string;
  ended_at?: string;
  error?: string;
  id: string;
  insights: number;
  request?: Request;
  run_id?: string;
  state: string;
  usage?: Usage;
}

export interface InvestigationView {
  accepted_at?: string;
  conclusions: Insight[] | null;
  deadline?: string;
  ended_at?: string;
  error?: string;
  id: string;
  insights: number;
  notifications: Notification[] | null;
  progress: Progress[] | null;
  request?: Request;
  run_id?: string;
  runs: Run[] | null;
  said: Said;
  state: string;
  usage?: Usage;
}

export interface LinkPeer {
  address: string;
  connections: number;
  port: number;
  process?: string;
}

export interface Links {
  addresses: string[] | null;
  at: string;
  listens: Listener[] | null;
  node: string;
  peers: LinkPeer[] | null;
}

export interface Listener {
  port: number;
  process?: string;
}

export interface Me {
  can_write: boolean;
  connected: boolean;
  opened?: boolean;
  role?: string;
  url: string;
  why?: string;
}

export interface Metric {
  doc: string;
  kind: string;
  name: string;
  unit: string;
}

export interface Names {
  count: number;
  first: string[] | null;
}

export interface Node {
  boot_id: string;
  buffered?: number;
  dropped?: number;
  instance_id: string;
  interval_ms: number;
  labels?: { [name: string]: string } | null;
  last_seen: string;
  machine_id: string;
  node: string;
  proposals?: Proposal[] | null;
  sent_at: string;
  skew_ms: number;
  skills: HeartbeatSkill[] | null;
  state: string;
  targets: HeartbeatTarget[] | null;
  version: string;
}

export interface NodeView {
  boot_id: string;
  buffered?: number;
  dropped?: number;
  instance_id: string;
  interval_ms: number;
  labels?: { [name: string]: string } | null;
  last_seen: string;
  links?: Links;
  machine_id: string;
  node: string;
  proposals?: Proposal[] | null;
  sent_at: string;
  skew_ms: number;
  skills: HeartbeatSkill[] | null;
  snapshots: Snapshot[] | null;
  state: string;
  targets: HeartbeatTarget[] | null;
  version: string;
}

export interface Note {
  at: string;
  by: string;
  id: string;
  text: string;
}

export interface Notification {
  anomaly_type: string;
  context: string;
  detected_at: string;
  evidence?: Evidence[] | null;
  figures?: Figure[] | null;
  hypothesis?: string;
  id: string;
  investigation_id: string;
  node: string;
  observation: string;
  operator: string;
  origin?: string;
  run_id: string;
  severity: string;
  since?: string;
  snapshots: Snapshot[] | null;
  target: string;
  trace_id?: string;
  verified: boolean;
}

export interface Outlier {
  among?: string;
  baseline: number;
  detected_at: string;
  metric: string;
  node: string;
  peers: number;
  peers_median?: number;
  severity: string;
  skill: string;
  target: string;
  unit?: string;
  value: number;
}

export interface Outliers {
  items: Outlier[] | null;
  uncompared?: number;
  unreadable?: number;
}

export interface PageOfAnomaly {
  items: Anomaly[] | null;
  next?: string;
  unreadable?: number;
}

export interface PageOfChange {
  items: Change[] | null;
  next?: string;
  unreadable?: number;
}

export interface PageOfInsight {
  items: Insight[] | null;
  next?: string;
  unreadable?: number;
}

export interface PageOfInvestigation {
  items: Investigation[] | null;
  next?: string;
  unreadable?: number;
}

export interface PageOfLinks {
  items: Links[] | null;
  next?: string;
  unreadable?: number;
}

export interface PageOfNode {
  items: Node[] | null;
  next?: string;
  unreadable?: number;
}

export interface PageOfRecord {
  items: Record[] | null;
  next?: string;
  unreadable?: number;
}

export interface PageOfSilenceView {
  items: SilenceView[] | null;
  next?: string;
  unreadable?: number;
}

export interface Param {
  default?: unknown;
  doc?: string;
  enum?: string[] | null;
  max?: number;
  min?: number;
  name: string;
  type: string;
}

export interface Peers {
  among?: string;
  medians: { [name: string]: number } | null;
  read: number;
  targets: number;
}

export interface Point {
  t: number;
  v: number;
}

export interface Problem {
  error: string;
  role?: string;
}

export interface Progress {
  agent: string;
  at: string;
  investigation_id: string;
  run_id: string;
  step: number;
  text: string;
}

export interface Proposal {
  address: string;
  config?: string;
  kind: string;
  pid?: number;
  process: string;
  why: string;
}

export interface Question {
  args?: unknown;
  callback?: string;
  node?: string;
  target?: string;
  text?: string;
}

export interface Radius {
  affected: Names;
  boxes: RadiusBox[] | null;
  edges: RadiusEdge[] | null;
  groups: RadiusGroup[] | null;
  nodes: number;
  rest: RadiusGroup;
  silent: Names;
  unknown: Names;
}

export interface RadiusBox {
  affected: boolean;
  id: string;
  name: string;
  nodes: number;
}

export interface RadiusEdge {
  connections: number;
  from: string;
  to: string;
}

export interface RadiusGroup {
  affected: number;
  label?: string;
  total: number;
}

export interface Record {
  at: string;
  data?: unknown;
  kind: string;
  n: number;
  run_id: string;
  worker: string;
}

export interface Request {
  compaction_keep_last?: number;
  compaction_max_tokens?: number;
  context?: { [name: string]: unknown } | null;
  deadline_ms?: number;
  group?: string;
  id?: string;
  labels?: { [name: string]: string } | null;
  max_cost?: number;
  max_iterations?: number;
  max_tokens?: number;
  model?: string;
  nodes?: string[] | null;
  notifications?: Notification[] | null;
  reason: string;
  skills?: string[] | null;
  strategy?: string;
}

export interface Run {
  error?: string;
  outcome?: string;
  run_id: string;
  skill?: string;
  state?: string;
  targets?: TargetRef[] | null;
}

export interface Said {
  acks: Ack[] | null;
  feedback: Feedback[] | null;
  notes: Note[] | null;
  unreadable?: string;
}

export interface Series {
  metric: string;
  node: string;
  points: Point[] | null;
  skill: string;
  target: string;
}

export interface Silence {
  at: string;
  by: string;
  id: string;
  labels?: { [name: string]: string } | null;
  nodes?: string[] | null;
  reason: string;
  skills?: string[] | null;
  until: string;
}

export interface SilenceView {
  at: string;
  by: string;
  id: string;
  kept_out: number;
  labels?: { [name: string]: string } | null;
  nodes?: string[] | null;
  reason: string;
  skills?: string[] | null;
  until: string;
}

export interface SimilarInsight {
  created_at: string;
  id: string;
  severity: string;
  summary: string;
  verdicts: string[] | null;
}

export interface SkillView {
  rates: { [name: string]: number } | null;
  unknown?: string;
  words?: Words;
}

export interface Snapshot {
  captured_at: string;
  data: { [name: string]: unknown } | null;
  errors?: string[] | null;
  id: string;
  kind: string;
  node: string;
  skill: string;
  target: string;
}

export interface Stream {
  bytes: number;
  doc: string;
  error?: string;
  max_bytes: number;
  messages: number;
  name: string;
  used_pct: number;
}

export interface System {
  checks: HealthCheck[] | null;
  dead: number;
  dead_letters: DeadLetter[] | null;
  listeners: number;
  me: Me;
  streams: Stream[] | null;
}

export interface TargetRef {
  kind: string;
  node: string;
  target: string;
}

export interface ToolResult {
  call_id: string;
  content: string;
  effect?: unknown;
  failed?: boolean;
  invalid?: boolean;
  step: number;
  tool: string;
}

export interface Usage {
  cache_write_tokens?: number;
  cached_tokens: number;
  cost_usd: number;
  input_tokens: number;
  llm_calls: number;
  output_tokens: number;
}

export interface Words {
  calls?: CallDoc[] | null;
  checks?: Check[] | null;
  kind: string;
  metrics: Metric[] | null;
  prompt: string;
  skill: string;
  summary: string;
  title: string;
}
