using Cube.Inference;

namespace Cube.Proxy.Edge;

/// <summary>Marks an endpoint below a domain.</summary>
/// <param name="Name">The name in metrics, traces and logs, and the <c>operationId</c> in the OpenAPI document.</param>
/// <param name="Path">The path below the domain. A final <c>{model}</c> is a model's id.</param>
/// <param name="Body">The format of the request body.</param>
internal sealed record DomainEndpointMetadata(string Name, string Path, BodyKind Body);
