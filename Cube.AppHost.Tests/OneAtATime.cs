namespace Cube.AppHost.Tests;

/// <summary>Each of these tests runs a whole Cube; side by side they would only wait for one another.</summary>
[CollectionDefinition(Name)]
public sealed class OneAtATime
{
    public const string Name = "one at a time";
}
