# The outputs feed civicwire's settings.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "civicwire-test"
}

run "warehouse_only" {
  assert {
    condition = output.env == {
      CIVICWIRE_TARGET   = "bigquery"
      CIVICWIRE_PROJECT  = "civicwire-test"
      CIVICWIRE_DATASET  = "civicwire"
      CIVICWIRE_LOCATION = "US"
    }
    error_message = "The settings are not those of a warehouse on BigQuery."
  }

  assert {
    condition     = output.env_file == "CIVICWIRE_DATASET=civicwire\nCIVICWIRE_LOCATION=US\nCIVICWIRE_PROJECT=civicwire-test\nCIVICWIRE_TARGET=bigquery\n"
    error_message = "A shell would read other settings: ${output.env_file}"
  }

  assert {
    condition     = toset(keys(output.service_accounts)) == toset(["producer", "writer", "dbt", "grafana"])
    error_message = "There are other identities."
  }

  assert {
    condition     = output.loads_bucket == "gs://civicwire-test-civicwire-loads" && keys(output.secrets) == ["socrata-app-token"]
    error_message = "Bucket or secrets are named otherwise."
  }
}

run "everything" {
  variables {
    dataset      = "safety"
    location     = "EU"
    region       = "europe-west1"
    prefix       = "safety-prod"
    kafka        = {}
    flink        = { image = "example.org/flink:2.3.0-1" }
    registry_url = "http://registry.civicwire.svc.cluster.local:8080/apis/ccompat/v7"
  }

  assert {
    condition = output.env == {
      CIVICWIRE_TARGET          = "bigquery"
      CIVICWIRE_PROJECT         = "civicwire-test"
      CIVICWIRE_DATASET         = "safety"
      CIVICWIRE_LOCATION        = "EU"
      CIVICWIRE_KAFKA           = "bootstrap.safety-prod.europe-west1.managedkafka.civicwire-test.cloud.goog:9092"
      CIVICWIRE_KAFKA_SECURITY  = "sasl_ssl"
      CIVICWIRE_KAFKA_MECHANISM = "PLAIN"
      CIVICWIRE_REGISTRY        = "http://registry.civicwire.svc.cluster.local:8080/apis/ccompat/v7"
      CIVICWIRE_FLINK           = "http://flink-jobmanager.civicwire.svc.cluster.local:8081"
    }
    error_message = "The settings do not say where everything is."
  }

  assert {
    condition     = output.image_repository == "europe-west1-docker.pkg.dev/civicwire-test/safety-prod"
    error_message = "Images would be pushed elsewhere."
  }
}

run "apis_of_others" {
  variables {
    enable_apis = false
  }

  assert {
    condition     = length(google_project_service.this) == 0
    error_message = "An API is enabled though another team does that."
  }
}
