# The datasets and tables are those that stream_jobs/warehouse/tables.py describes.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "civicwire-test"
}

run "tables_are_those_of_the_writer" {
  assert {
    condition     = length(setsubtract(["incidents", "incident_revisions", "incident_counts", "polls", "dead_letters"], keys(google_bigquery_table.main))) == 0
    error_message = "A table of the writer is missing: there is ${join(", ", keys(google_bigquery_table.main))}."
  }

  assert {
    condition     = alltrue([for table in google_bigquery_table.main : table.dataset_id == "civicwire" && table.deletion_protection])
    error_message = "A table is in another dataset or not protected."
  }

  assert {
    condition = alltrue([
      for table in google_bigquery_table.main :
      one(table.time_partitioning).type == "MONTH" && coalesce(one(table.time_partitioning).expiration_ms, 0) == 0
    ])
    error_message = "A table's partitions are not months, or expire."
  }

  assert {
    condition = alltrue([
      for name, table in google_bigquery_table.main : (
        one(table.time_partitioning).field == jsondecode(file("tables/${name}.json")).partition.field &&
        join(",", table.clustering) == join(",", jsondecode(file("tables/${name}.json")).clustering) &&
        table.require_partition_filter == jsondecode(file("tables/${name}.json")).require_partition_filter &&
        jsondecode(table.schema) == jsondecode(file("tables/${name}.json")).schema
      )
    ])
    error_message = "A table is partitioned, clustered or shaped otherwise than stream_jobs/warehouse/tables.py says."
  }

  assert {
    condition = alltrue([
      for table in concat(values(google_bigquery_table.main), values(google_bigquery_table.stage)) : alltrue([
        for column in concat([one(table.time_partitioning).field], table.clustering) :
        contains([for field in jsondecode(table.schema) : field.name], column)
      ])
    ])
    error_message = "A table is partitioned or clustered by a column that it does not have."
  }

  assert {
    condition = alltrue([
      for field in jsondecode(google_bigquery_table.main["incidents"].schema) :
      length(field.description) > 0 && !contains(["INT64", "FLOAT64", "BOOL"], field.type)
    ])
    error_message = "A column has no description, or a type's name that BigQuery's API answers otherwise."
  }

  assert {
    condition = alltrue([
      for table in google_bigquery_table.main :
      table.labels.application == "civicwire" && table.labels.managed_by == "terraform" && table.labels.written_by == "stream_jobs_warehouse"
    ])
    error_message = "A table lacks a label."
  }
}

run "stage_forgets_after_a_day" {
  assert {
    condition     = contains(keys(google_bigquery_table.stage), "incidents")
    error_message = "The stage of incidents is missing."
  }

  assert {
    condition = google_bigquery_dataset.stage.default_partition_expiration_ms == 86400000 && alltrue([
      for table in google_bigquery_table.stage :
      one(table.time_partitioning).type == "DAY" && one(table.time_partitioning).expiration_ms == 86400000
    ])
    error_message = "The stage's partitions do not expire after a day."
  }

  assert {
    # An expiry of tables would delete the tables that the writer expects.
    condition     = google_bigquery_dataset.stage.default_table_expiration_ms == null
    error_message = "The stage's tables would go away themselves."
  }

  assert {
    condition = alltrue([
      for table in google_bigquery_table.stage : table.dataset_id == "civicwire_stage" && !table.deletion_protection
    ])
    error_message = "A stage table is in another dataset, or protected."
  }
}

run "names_follow_dataset_and_location" {
  variables {
    dataset  = "safety"
    location = "europe-west1"
    labels   = { team = "open-data" }
  }

  assert {
    condition = output.datasets == {
      main  = "safety"
      stage = "safety_stage"
      marts = "safety_marts"
    }
    error_message = "The writer and dbt expect <dataset>, <dataset>_stage and <dataset>_marts."
  }

  assert {
    condition = alltrue([
      for dataset in [google_bigquery_dataset.main, google_bigquery_dataset.stage, google_bigquery_dataset.marts] :
      dataset.location == "europe-west1" && dataset.labels.team == "open-data"
    ])
    error_message = "A dataset is elsewhere, or lacks a label."
  }

  assert {
    condition     = google_storage_bucket.loads.location == "EUROPE-WEST1"
    error_message = "A bucket in another place cannot be loaded from."
  }
}

run "protection_can_be_taken_away" {
  variables {
    deletion_protection = false
  }

  assert {
    condition = (
      !anytrue([for table in google_bigquery_table.main : table.deletion_protection]) &&
      google_bigquery_dataset.main.delete_contents_on_destroy && google_storage_bucket.loads.force_destroy
    )
    error_message = "A trial installation could not be destroyed."
  }
}
