# Flink on GKE: none unless asked for; then private, without keys, and with a manifest that kubectl takes.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "civicwire-test"
}

run "none_by_default" {
  assert {
    condition = (
      length(google_container_cluster.this) + length(google_storage_bucket.checkpoints) + length(google_artifact_registry_repository.images) +
      length(google_service_account.nodes) + length(google_compute_router_nat.this) + length(google_service_account_iam_member.workload_identity)
    ) == 0
    error_message = "Something of Flink is made without being asked for."
  }

  assert {
    condition     = output.flink_manifest == null && output.image_repository == null
    error_message = "There is an output of something that is not there."
  }
}

run "private_cluster" {
  variables {
    flink = { image = "example.org/flink:2.3.0-1" }
  }

  assert {
    condition = (
      google_container_cluster.this[0].enable_autopilot && google_container_cluster.this[0].deletion_protection &&
      one(google_container_cluster.this[0].private_cluster_config).enable_private_nodes &&
      !one(one(google_container_cluster.this[0].control_plane_endpoints_config).ip_endpoints_config).enabled
    )
    error_message = "The cluster has addresses of the internet, or can be deleted by mistake."
  }

  assert {
    condition     = one(one(google_container_cluster.this[0].cluster_autoscaling).auto_provisioning_defaults).service_account == google_service_account.nodes[0].email
    error_message = "Nodes act as the project's default account, which may do far more."
  }

  assert {
    condition = toset([for grant in google_service_account_iam_member.workload_identity : "${grant.service_account_id} ${grant.role} ${grant.member}"]) == toset([
      for identity in ["producer", "flink", "writer", "dbt"] :
      "${google_service_account.this[identity].name} roles/iam.workloadIdentityUser serviceAccount:civicwire-test.svc.id.goog[civicwire/${identity}]"
    ])
    error_message = "A pod would not get its account, or could get another's."
  }

  assert {
    condition = alltrue([
      for range in google_compute_subnetwork.this[0].secondary_ip_range : contains(["pods", "services"], range.range_name)
    ]) && google_compute_subnetwork.this[0].private_ip_google_access
    error_message = "The cluster's ranges are not in the network, or Google's APIs cannot be reached from it."
  }
}

run "manifest" {
  variables {
    flink = {
      image                   = "example.org/flink@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      namespace               = "streams"
      task_managers           = 3
      slots                   = 4
      checkpoint_seconds      = 30
      task_manager_cpus       = 2
      task_manager_memory_gib = 5.5
    }
  }

  assert {
    condition = [for object in split("\n---\n", output.flink_manifest) : yamldecode(object).kind] == [
      "Namespace", "ServiceAccount", "ServiceAccount", "ServiceAccount", "ServiceAccount",
      "Role", "RoleBinding", "ConfigMap", "Service", "Deployment", "Deployment", "NetworkPolicy",
    ]
    error_message = "The manifest does not hold the objects of a Flink session."
  }

  assert {
    condition = alltrue([
      for object in [for text in split("\n---\n", output.flink_manifest) : yamldecode(text)] :
      object.kind == "Namespace" ? object.metadata.name == "streams" : object.metadata.namespace == "streams"
    ])
    error_message = "An object is in another namespace."
  }

  assert {
    condition = {
      for object in [for text in split("\n---\n", output.flink_manifest) : yamldecode(text)] :
      object.metadata.name => object.metadata.annotations["iam.gke.io/gcp-service-account"] if object.kind == "ServiceAccount"
      } == {
      for identity in ["producer", "flink", "writer", "dbt"] : identity => google_service_account.this[identity].email
    }
    error_message = "A Kubernetes account stands for another service account."
  }

  assert {
    condition = alltrue([
      for object in [for text in split("\n---\n", output.flink_manifest) : yamldecode(text)] : (
        object.spec.replicas == (object.metadata.name == "flink-taskmanager" ? 3 : 1) &&
        object.spec.template.spec.serviceAccountName == "flink" &&
        object.spec.template.spec.securityContext.runAsNonRoot &&
        one(object.spec.template.spec.containers).image == var.flink.image &&
        one(object.spec.template.spec.containers).securityContext.capabilities.drop == ["ALL"] &&
        one(object.spec.template.spec.containers).resources.requests == one(object.spec.template.spec.containers).resources.limits
      ) if object.kind == "Deployment"
    ])
    error_message = "A pod runs as somebody else, as root, from another image, or without limits."
  }

  assert {
    condition = alltrue([
      for line in [
        "execution.checkpointing.dir: gs://civicwire-test-civicwire-flink/checkpoints",
        "high-availability.storageDir: gs://civicwire-test-civicwire-flink/ha",
        "taskmanager.memory.process.size: 5632m",
        "taskmanager.numberOfTaskSlots: 4",
        "execution.checkpointing.interval: 30 s",
      ] : strcontains(output.flink_manifest, line)
    ])
    error_message = "Flink keeps its state elsewhere, or is of another size."
  }
}
