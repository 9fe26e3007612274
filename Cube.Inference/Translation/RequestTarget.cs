namespace Cube.Inference.Translation;

/// <summary>The model server that a request is written for.</summary>
/// <param name="Backend">The protocol of the model server.</param>
/// <param name="Model">The exact id in the model server's list of models.</param>
/// <param name="CacheSalt">Separates the user's prompts from those of other users in the model server's prefix cache.</param>
public readonly record struct RequestTarget(BackendProtocol Backend, string Model, string CacheSalt);
