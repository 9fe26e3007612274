namespace Cube.Inference.Translation;

/// <summary>The model server that a request is written for.</summary>
/// <param name="Backend">Its protocol.</param>
/// <param name="Model">The exact id in its list of models.</param>
/// <param name="CacheSalt">Separates this user's prompts from all others in the server's prefix cache.</param>
public readonly record struct RequestTarget(BackendProtocol Backend, string Model, string CacheSalt);
