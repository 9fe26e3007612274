using Cube.Inference.Translation;

namespace Cube.Proxy.Inference;

/// <summary>The requested model at the model server of the route.</summary>
/// <param name="Id">The exact id in the model server's list.</param>
/// <param name="Backend">The protocol of the model server.</param>
internal sealed record ResolvedModel(string Id, BackendProtocol Backend);
