namespace Cube.AppHost.Tests;

/// <summary>Each of these tests runs a complete Cube; parallel runs would slow each other down.</summary>
[CollectionDefinition(Name)]
public sealed class OneAtATime
{
    public const string Name = "one at a time";
}
