using Cube.ServiceDefaults.Errors;

namespace Cube.Authorization.Engine;

/// <summary>
/// The engine rejects a request, with the gRPC code that SpiceDB uses. Cube's own requests are valid, so for them this means that the
/// store is inconsistent; the exception is therefore an <see cref="UnavailableException"/> and the caller receives 503.
/// </summary>
internal sealed class EngineException(int code, string message) : UnavailableException("The authorization engine")
{
    public override string Message => message;

    public const int InvalidArgumentCode = 3;
    public const int NotFoundCode = 5;
    public const int AlreadyExistsCode = 6;
    public const int ResourceExhaustedCode = 8;
    public const int FailedPreconditionCode = 9;
    public const int UnauthenticatedCode = 16;

    public int Code => code;

    public static EngineException Invalid(string message) => new(InvalidArgumentCode, message);

    public static EngineException Precondition(string message) => new(FailedPreconditionCode, message);

    public static EngineException NoSchema => new(NotFoundCode, "No schema has been defined; please call WriteSchema to start");

    public static EngineException UnknownDefinition(string name) => Precondition($"object definition `{name}` not found");

    public static EngineException UnknownRelation(string name, string definition) =>
        Precondition($"relation/permission `{name}` not found under definition `{definition}`");

    public static EngineException TooDeep => new(
        ResourceExhaustedCode,
        $"the check request has exceeded the allowable maximum depth of {PermissionEvaluator.MaxDepth}: this usually indicates a recursive or too deep data dependency.");
}
