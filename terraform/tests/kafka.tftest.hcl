# Managed Kafka: none unless asked for; then with civicwire's topics, and nobody may do more than it needs.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "civicwire-test"
}

run "none_by_default" {
  assert {
    condition = (
      length(google_managed_kafka_cluster.this) + length(google_managed_kafka_topic.this) + length(google_managed_kafka_acl.this) +
      length(google_project_iam_member.kafka_client) + length(google_compute_network.this)
    ) == 0
    error_message = "Something of Kafka is made without being asked for."
  }

  assert {
    condition     = !contains(keys(google_service_account.this), "flink") && !contains(keys(google_project_service.this), "managedkafka")
    error_message = "An account or API is there that nothing uses."
  }
}

run "cluster_and_topics" {
  variables {
    kafka  = { vcpus = 3, memory_gib = 6 }
    region = "europe-west1"
  }

  assert {
    condition = (
      one(google_managed_kafka_cluster.this[0].capacity_config).vcpu_count == "3" &&
      one(google_managed_kafka_cluster.this[0].capacity_config).memory_bytes == "6442450944"
    )
    error_message = "The cluster is of another size."
  }

  assert {
    condition     = output.kafka_bootstrap == "bootstrap.civicwire.europe-west1.managedkafka.civicwire-test.cloud.goog:9092"
    error_message = "The address is not that of the cluster."
  }

  assert {
    condition = alltrue([
      for topic in google_managed_kafka_topic.this :
      topic.replication_factor == 3 && topic.configs["retention.ms"] == "-1" && topic.configs["message.timestamp.type"] == "LogAppendTime"
    ])
    error_message = "A topic would lose records: it is kept on one broker, or not for ever."
  }

  assert {
    condition = {
      for name, topic in google_managed_kafka_topic.this : name => { partitions = topic.partition_count, configs = topic.configs }
      } == {
      for name, topic in jsondecode(file("topics.json")) : name => { partitions = topic.partitions, configs = tomap(topic.configs) }
    }
    error_message = "A topic has other settings than schemas/topics.py gives it."
  }

  assert {
    condition     = google_managed_kafka_topic.this["cursors"].configs["cleanup.policy"] == "compact" && contains(keys(google_managed_kafka_topic.this), "raw.austin_crime_reports")
    error_message = "cursors is not compacted, or a feed has no topic."
  }

  assert {
    condition     = alltrue([for topic in google_managed_kafka_topic.this : topic.cluster == google_managed_kafka_cluster.this[0].cluster_id])
    error_message = "A topic is in another cluster."
  }
}

run "acls" {
  variables {
    kafka = {}
  }

  assert {
    # A topic without an entry is open to everybody who may connect.
    condition = alltrue([
      for topic in keys(google_managed_kafka_topic.this) :
      contains(keys(google_managed_kafka_acl.this), startswith(topic, "raw.") ? "topicPrefixed/raw." : "topic/${topic}")
    ])
    error_message = "A topic has no ACL."
  }

  assert {
    condition = toset(flatten([for acl in google_managed_kafka_acl.this : acl.acl_entries[*].principal])) == toset([
      for identity in ["producer", "flink", "writer"] : "User:${google_service_account.this[identity].email}"
    ])
    error_message = "Somebody else than producer, flink and writer has rights on topics."
  }

  assert {
    condition = alltrue(flatten([
      for acl in google_managed_kafka_acl.this : [
        for entry in acl.acl_entries :
        entry.permission_type == "ALLOW" && contains(["READ", "WRITE", "DELETE"], entry.operation) && (entry.operation != "DELETE" || startswith(acl.acl_id, "consumerGroup"))
      ]
    ]))
    error_message = "Somebody may do more than read and write topics and forget the offsets of a group."
  }

  assert {
    condition = toset([for entry in google_managed_kafka_acl.this["topic/incidents"].acl_entries : "${entry.operation} ${entry.principal}"]) == toset([
      "READ User:${google_service_account.this["flink"].email}",
      "WRITE User:${google_service_account.this["flink"].email}",
      "READ User:${google_service_account.this["writer"].email}",
    ])
    error_message = "Incidents are written by Flink and read by Flink and the writer."
  }

  assert {
    condition     = alltrue([for id in keys(google_managed_kafka_acl.this) : !startswith(id, "all") && id != "cluster"])
    error_message = "An ACL is about everything."
  }
}

run "acls_of_a_replay" {
  variables {
    kafka  = {}
    replay = true
  }

  assert {
    # Later versions of topics and nothing else are its to make, change and delete.
    condition = toset([
      for acl in google_managed_kafka_acl.this : acl.acl_id
      if contains([for entry in acl.acl_entries : "${entry.operation} ${entry.principal}"], "ALL User:${google_service_account.this["replay"].email}")
    ]) == toset([for topic in ["dead_letters", "incidents", "persons", "indicators", "incident_counts", "arrivals"] : "topicPrefixed/${topic}.v"])
    error_message = "Who replays may make other topics than those of a replay."
  }

  assert {
    condition = alltrue(flatten([
      for acl in google_managed_kafka_acl.this : [
        for entry in acl.acl_entries : entry.operation != "ALL" || entry.principal == "User:${google_service_account.this["replay"].email}"
      ]
    ]))
    error_message = "Somebody else may do everything with a topic."
  }

  assert {
    condition = toset([for entry in google_managed_kafka_acl.this["topic/versions"].acl_entries : entry.principal if entry.operation == "WRITE"]) == toset([
      "User:${google_service_account.this["replay"].email}",
    ])
    error_message = "Who replays, and nobody else, says which topics are live."
  }
}
