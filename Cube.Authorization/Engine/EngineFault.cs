using Cube.ServiceDefaults.Errors;

namespace Cube.Authorization.Engine;

/// <summary>
/// A question or a change that the engine refuses, with the gRPC code that SpiceDB has for it. Cube asks nothing that would be refused:
/// where its own code meets one, the engine's store is not in order, and callers hear that it is not available.
/// </summary>
internal sealed class EngineFault(int code, string message) : UnavailableException("The authorization engine")
{
    public override string Message => message;

    public const int InvalidArgumentCode = 3;
    public const int NotFoundCode = 5;
    public const int AlreadyExistsCode = 6;
    public const int ResourceExhaustedCode = 8;
    public const int FailedPreconditionCode = 9;
    public const int UnauthenticatedCode = 16;

    public int Code => code;

    public static EngineFault Invalid(string message) => new(InvalidArgumentCode, message);

    public static EngineFault Precondition(string message) => new(FailedPreconditionCode, message);

    public static EngineFault NoSchema => new(NotFoundCode, "No schema has been defined; please call WriteSchema to start");

    public static EngineFault UnknownDefinition(string name) => Precondition($"object definition `{name}` not found");

    public static EngineFault UnknownRelation(string name, string definition) =>
        Precondition($"relation/permission `{name}` not found under definition `{definition}`");

    public static EngineFault TooDeep => new(
        ResourceExhaustedCode,
        $"the check request has exceeded the allowable maximum depth of {Evaluation.MaxDepth}: this usually indicates a recursive or too deep data dependency.");
}
