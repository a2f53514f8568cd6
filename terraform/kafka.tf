# Managed Service for Apache Kafka: one cluster, civicwire's topics (topics.json, written by `make generate`), and who may
# read and write which. A replay's topics have the same names with a version behind them (incidents.v2); the account
# replay makes them. The topics are the only durable state of the whole line: they keep everything, for ever.

locals {
  topics = jsondecode(file("${path.module}/topics.json"))

  # Kafka's own rights. WRITE and READ include looking at the topic. Nobody may create, change or delete one, but who
  # replays, and only those of a later version; it has no entry where there is no such account.
  kafka_acls = {
    "topicPrefixed/raw."                          = { producer = ["READ", "WRITE"], flink = ["READ"], replay = ["READ"] }
    "topic/cursors"                               = { producer = ["READ", "WRITE"] }
    "topic/polls"                                 = { producer = ["READ", "WRITE"], writer = ["READ"], replay = ["READ"] }
    "topic/drift"                                 = { producer = ["READ", "WRITE"], writer = ["READ"], replay = ["READ"] }
    "topic/dead_letters"                          = { producer = ["READ", "WRITE"], flink = ["WRITE"], writer = ["READ"], replay = ["READ"] }
    "topic/incidents"                             = { flink = ["READ", "WRITE"], writer = ["READ"], replay = ["READ"] }
    "topic/persons"                               = { flink = ["WRITE"], writer = ["READ"], replay = ["READ"] }
    "topic/indicators"                            = { flink = ["WRITE"], writer = ["READ"], replay = ["READ"] }
    "topic/incident_counts"                       = { flink = ["READ", "WRITE"], writer = ["READ"], replay = ["READ", "WRITE"] }
    "topic/arrivals"                              = { flink = ["READ", "WRITE"], writer = ["READ"], replay = ["READ", "WRITE"] }
    "topic/versions"                              = { producer = ["READ"], flink = ["READ"], writer = ["READ"], replay = ["READ", "WRITE"] }
    "topicPrefixed/dead_letters.v"                = { producer = ["READ"], flink = ["WRITE"], writer = ["READ"], replay = ["ALL"] }
    "topicPrefixed/incidents.v"                   = { flink = ["READ", "WRITE"], writer = ["READ"], replay = ["ALL"] }
    "topicPrefixed/persons.v"                     = { flink = ["WRITE"], writer = ["READ"], replay = ["ALL"] }
    "topicPrefixed/indicators.v"                  = { flink = ["WRITE"], writer = ["READ"], replay = ["ALL"] }
    "topicPrefixed/incident_counts.v"             = { flink = ["READ", "WRITE"], writer = ["READ"], replay = ["ALL"] }
    "topicPrefixed/arrivals.v"                    = { flink = ["READ", "WRITE"], writer = ["READ"], replay = ["ALL"] }
    "consumerGroupPrefixed/civicwire.tail."       = { producer = ["READ"], replay = ["READ"] }
    "consumerGroup/civicwire-normalise"           = { flink = ["READ", "DELETE"], replay = ["READ", "DELETE"] }
    "consumerGroup/civicwire-windows"             = { flink = ["READ", "DELETE"], replay = ["READ", "DELETE"] }
    "consumerGroupPrefixed/civicwire-restate-"    = { flink = ["READ"], replay = ["READ"] }
    "consumerGroup/civicwire-warehouse"           = { writer = ["READ"], replay = ["READ"] }
    "consumerGroupPrefixed/civicwire-normalise.v" = { flink = ["READ", "DELETE"], replay = ["READ", "DELETE"] }
    "consumerGroupPrefixed/civicwire-windows.v"   = { flink = ["READ", "DELETE"], replay = ["READ", "DELETE"] }
    "consumerGroupPrefixed/civicwire-warehouse.v" = { writer = ["READ"], replay = ["READ", "DELETE"] }
    "consumerGroupPrefixed/civicwire-versions-"   = { producer = ["READ"], flink = ["READ"], writer = ["READ"], replay = ["READ"] }
    "transactionalIdPrefixed/civicwire.poller."   = { producer = ["WRITE"] }
    "transactionalIdPrefixed/civicwire.backfill." = { producer = ["WRITE"] }
    "transactionalIdPrefixed/civicwire-"          = { flink = ["WRITE"] }
  }

  # The address has this form; the provider does not tell it.
  kafka_bootstrap = local.with_kafka ? "bootstrap.${google_managed_kafka_cluster.this[0].cluster_id}.${var.region}.managedkafka.${var.project}.cloud.goog:9092" : null
}

resource "google_managed_kafka_cluster" "this" {
  count = local.with_kafka ? 1 : 0

  project    = var.project
  cluster_id = var.prefix
  location   = var.region
  labels     = local.labels

  capacity_config {
    vcpu_count   = tostring(var.kafka.vcpus)
    memory_bytes = tostring(var.kafka.memory_gib * 1024 * 1024 * 1024)
  }

  gcp_config {
    kms_key = var.kms_keys.regional

    access_config {
      network_configs {
        subnet = google_compute_subnetwork.this[0].id
      }
    }
  }

  rebalance_config {
    mode = "AUTO_REBALANCE_ON_SCALE_UP"
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.regional]
}

resource "google_managed_kafka_topic" "this" {
  for_each = local.with_kafka ? local.topics : {}

  project            = var.project
  location           = var.region
  cluster            = google_managed_kafka_cluster.this[0].cluster_id
  topic_id           = each.key
  partition_count    = each.value.partitions
  replication_factor = 3
  configs            = each.value.configs
}

resource "google_managed_kafka_acl" "this" {
  for_each = local.with_kafka ? local.kafka_acls : {}

  project  = var.project
  location = var.region
  cluster  = google_managed_kafka_cluster.this[0].cluster_id
  acl_id   = each.key

  dynamic "acl_entries" {
    for_each = merge([
      for identity, operations in each.value : !contains(keys(local.identities), identity) ? {} : {
        for operation in operations : "${identity} ${operation}" => { identity = identity, operation = operation }
      }
    ]...)
    content {
      principal       = "User:${google_service_account.this[acl_entries.value.identity].email}"
      permission_type = "ALLOW"
      operation       = acl_entries.value.operation
      host            = "*" # the service knows no other
    }
  }
}

# Opening a connection is a right on the project; what goes over it is decided by the ACLs above.
resource "google_project_iam_member" "kafka_client" {
  for_each = local.with_kafka ? toset(concat(["producer", "flink", "writer"], var.replay ? ["replay"] : [])) : toset([])

  project = var.project
  role    = "roles/managedkafka.client"
  member  = google_service_account.this[each.key].member
}
