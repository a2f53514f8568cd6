# Who may do what. Every grant of the module is compared, so that one too many fails as well as one too few.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "civicwire-test"
  kafka   = {}
  flink   = { image = "us-central1-docker.pkg.dev/civicwire-test/civicwire/flink:2.3.0-1" }
}

run "main_dataset" {
  variables {
    grafana_tables = ["dead_letters"]
  }

  assert {
    condition = toset([for access in google_bigquery_dataset.main.access : "${access.role} ${coalesce(access.user_by_email, access.special_group)}" if access.role != null]) == toset([
      "OWNER projectOwners",
      "WRITER ${google_service_account.this["writer"].email}",
      "READER ${google_service_account.this["dbt"].email}",
    ])
    error_message = "Only the writer may write the tables, and only dbt may read all of them."
  }

  assert {
    condition     = [for access in google_bigquery_dataset.main.access : one(one(access.dataset).dataset).dataset_id if access.role == null] == ["civicwire_marts"]
    error_message = "The marts' views, and nothing else, read the tables for their readers."
  }

  assert {
    condition     = [for grant in google_bigquery_table_iam_member.grafana : "${grant.table_id} ${grant.role} ${grant.member}"] == ["dead_letters roles/bigquery.dataViewer ${google_service_account.this["grafana"].member}"]
    error_message = "Of the tables, Grafana reads the dead letters."
  }
}

run "stage_dataset" {
  assert {
    condition = toset([for access in google_bigquery_dataset.stage.access : "${access.role} ${coalesce(access.user_by_email, access.special_group)}"]) == toset([
      "OWNER projectOwners",
      "WRITER ${google_service_account.this["writer"].email}",
    ])
    error_message = "Half-loaded rows are the writer's alone."
  }
}

run "marts_dataset" {
  variables {
    reader_groups = ["analysts@example.org"]
  }

  assert {
    condition = toset([for access in google_bigquery_dataset.marts.access : "${access.role} ${coalesce(access.user_by_email, access.group_by_email, access.special_group)}"]) == toset([
      "OWNER projectOwners",
      "WRITER ${google_service_account.this["dbt"].email}",
      "READER ${google_service_account.this["grafana"].email}",
      "READER analysts@example.org",
    ])
    error_message = "dbt writes the marts; Grafana and the reader groups read them."
  }
}

run "project" {
  assert {
    condition = toset([
      for grant in concat(
        values(google_project_iam_member.job_user), values(google_project_iam_member.kafka_client), google_project_iam_member.nodes[*],
      ) : "${grant.role} ${grant.member}"
      ]) == toset([
      "roles/bigquery.jobUser ${google_service_account.this["writer"].member}",
      "roles/bigquery.jobUser ${google_service_account.this["dbt"].member}",
      "roles/bigquery.jobUser ${google_service_account.this["grafana"].member}",
      "roles/managedkafka.client ${google_service_account.this["producer"].member}",
      "roles/managedkafka.client ${google_service_account.this["flink"].member}",
      "roles/managedkafka.client ${google_service_account.this["writer"].member}",
      "roles/container.defaultNodeServiceAccount ${google_service_account.nodes[0].member}",
    ])
    error_message = "On the project there are rights to start queries, to connect to Kafka and to be a node; no right to data."
  }
}

run "buckets" {
  assert {
    condition = alltrue([
      for bucket in concat([google_storage_bucket.loads], google_storage_bucket.checkpoints[*]) :
      bucket.uniform_bucket_level_access && bucket.public_access_prevention == "enforced"
    ])
    error_message = "A bucket could be opened to the public."
  }

  assert {
    condition = (
      google_storage_bucket_iam_member.loads_writer.member == google_service_account.this["writer"].member &&
      google_storage_bucket_iam_member.loads_writer.role == "roles/storage.objectUser" &&
      google_storage_bucket_iam_member.checkpoints_flink[0].member == google_service_account.this["flink"].member &&
      google_storage_bucket_iam_member.checkpoints_flink[0].role == "roles/storage.objectUser"
    )
    error_message = "Each bucket has one user, who may handle objects and not the bucket."
  }

  assert {
    condition = [
      for rule in google_storage_bucket.loads.lifecycle_rule : "${one(rule.action).type} ${one(rule.condition).age}"
    ] == ["Delete 30", "AbortIncompleteMultipartUpload 1"]
    error_message = "Loaded files are kept for 30 days, pieces of uploads for one."
  }

  assert {
    condition     = !anytrue([for rule in google_storage_bucket.checkpoints[0].lifecycle_rule : one(rule.action).type == "Delete"])
    error_message = "A checkpoint is as old as its job: age must not delete it."
  }
}

run "secrets" {
  variables {
    secrets = {
      socrata-app-token = ["producer"]
      alerts-webhook    = ["grafana", "writer"]
    }
  }

  assert {
    condition = toset([for grant in google_secret_manager_secret_iam_member.reader : "${grant.secret_id} ${grant.role} ${grant.member}"]) == toset([
      "civicwire-socrata-app-token roles/secretmanager.secretAccessor ${google_service_account.this["producer"].member}",
      "civicwire-alerts-webhook roles/secretmanager.secretAccessor ${google_service_account.this["grafana"].member}",
      "civicwire-alerts-webhook roles/secretmanager.secretAccessor ${google_service_account.this["writer"].member}",
    ])
    error_message = "Each secret is read by those who are named for it."
  }
}

run "impersonation" {
  variables {
    impersonators = {
      writer = ["group:data-engineers@example.org"]
      dbt    = ["user:ada@example.org", "serviceAccount:ci@other.iam.gserviceaccount.com"]
    }
  }

  assert {
    condition = toset([for grant in google_service_account_iam_member.impersonator : "${grant.service_account_id} ${grant.role} ${grant.member}"]) == toset([
      "${google_service_account.this["writer"].name} roles/iam.serviceAccountTokenCreator group:data-engineers@example.org",
      "${google_service_account.this["dbt"].name} roles/iam.serviceAccountTokenCreator user:ada@example.org",
      "${google_service_account.this["dbt"].name} roles/iam.serviceAccountTokenCreator serviceAccount:ci@other.iam.gserviceaccount.com",
    ])
    error_message = "Who may act as an account is said for each account."
  }
}

run "nobody_by_default" {
  assert {
    condition     = length(google_service_account_iam_member.impersonator) == 0
    error_message = "Somebody may act as an account without having been named."
  }
}

run "nobody_replays_by_default" {
  assert {
    condition     = !contains(keys(google_service_account.this), "replay") && length(google_project_iam_member.replay) == 0
    error_message = "Somebody may make datasets without being asked for."
  }
}

run "replay" {
  variables {
    replay        = true
    impersonators = { replay = ["user:ada@example.org"] }
  }

  assert {
    # What a replay makes anew belongs to who made it. Of what is there it exchanges the rows and stages its own.
    condition = alltrue([
      for dataset in [google_bigquery_dataset.main, google_bigquery_dataset.stage] :
      contains([for access in dataset.access : "${access.role} ${access.user_by_email}" if access.user_by_email != null], "WRITER ${google_service_account.this["replay"].email}")
    ])
    error_message = "Who replays cannot put the new rows in the place of the live ones."
  }

  assert {
    condition     = !contains([for access in google_bigquery_dataset.marts.access : access.user_by_email if access.user_by_email != null], google_service_account.this["replay"].email)
    error_message = "A replay does not touch the marts."
  }

  assert {
    condition     = google_project_iam_member.replay[0].role == "roles/bigquery.user" && google_project_iam_member.replay[0].member == google_service_account.this["replay"].member
    error_message = "Who replays may make datasets and run queries, and has no other right on the project."
  }

  assert {
    condition     = google_project_iam_member.kafka_client["replay"].member == google_service_account.this["replay"].member
    error_message = "Who replays may not connect to Kafka."
  }
}
